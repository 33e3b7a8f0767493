"""Tests of module_circles.py, run by `make test`."""

import unittest

from module_circles import circles, edges, leaves


def found(sources):
    return circles(edges({tuple(path.split("::")): text for path, text in sources.items()}))


class ModuleCirclesTest(unittest.TestCase):
    def test_use_trees_are_taken_apart(self):
        paths = ["::".join(parts) for parts, _ in leaves("crate::{a::{self, B as C}, d::{e::F, G},\n}")]
        self.assertEqual(paths, ["crate::a", "crate::a::B", "crate::d::e::F", "crate::d::G"])

    def test_siblings_that_use_each_other_are_a_circle(self):
        sources = {"a": "use crate::b::B;", "b": "pub use crate::{c::C, a::A};", "c": ""}
        self.assertEqual(found(sources), [[("a",), ("b",)]])

    def test_a_part_may_use_what_it_is_part_of(self):
        sources = {"a": "mod b;\npub use self::b::B;\nuse b::c;", "a::b": "use super::A;", "a::b::c": "use crate::a::A;"}
        self.assertEqual(found(sources), [])

    def test_a_circle_that_goes_through_a_reexport_is_found(self):
        sources = {"a": "pub use self::{b::B, c::C};", "a::b": "use super::C;", "a::c": "use crate::a::B;"}
        self.assertEqual(found(sources), [[("a", "b"), ("a", "c")]])

    def test_comments_and_tests_do_not_count(self):
        sources = {"a": "use crate::b::B;", "b": "// use crate::a::A;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}"}
        self.assertEqual(found(sources), [])


if __name__ == "__main__":
    unittest.main()
