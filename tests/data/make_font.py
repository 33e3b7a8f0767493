"""Makes test-font.ttf beside this file: letters that the bundled font lacks, as blocks. The four forms of the Arabic letter beh
are 1 to 4 units high (isolated, first, middle, last), so that a test sees which was taken.

    python3 make_font.py

Needs fontTools.
"""

from pathlib import Path

from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

EM = 1000
HEIGHTS = {".notdef": 500, "space": 0, "person": 800, "beh": 150, "beh.init": 300, "beh.medi": 450, "beh.fina": 600}


def block(height):
    pen = TTGlyphPen(None)
    if height:
        corners = [(0, 0), (0, height), (EM // 2, height), (EM // 2, 0)]
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def main():
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(list(HEIGHTS))
    font.setupCharacterMap({0x20: "space", 0x4EBA: "person", 0x0628: "beh"})
    font.setupGlyf({name: block(height) for name, height in HEIGHTS.items()})
    font.setupHorizontalMetrics({name: (EM, 0) for name in HEIGHTS})
    font.setupHorizontalHeader(ascent=1069, descent=-293)
    font.setupNameTable({"familyName": "Yolo Cam Test", "styleName": "Regular", "psName": "YoloCamTest-Regular"})
    font.setupOS2(sTypoAscender=1069, sTypoDescender=-293, usWinAscent=1069, usWinDescent=293)
    font.setupPost()
    forms = "\n".join(f"feature {form} {{ sub beh by beh.{form}; }} {form};" for form in ("init", "medi", "fina"))
    addOpenTypeFeaturesFromString(font.font, f"languagesystem arab dflt;\n{forms}")
    font.font["head"].created = font.font["head"].modified = 0
    font.font.recalcTimestamp = False
    font.save(Path(__file__).parent / "test-font.ttf")


main()
