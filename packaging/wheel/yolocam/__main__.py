"""python -m yolocam"""

from ._launcher import main

main()
