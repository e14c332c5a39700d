"""The project keeps to its limits of size, and the measures find what does not."""

import ast
from pathlib import Path

import pytest

from tests.architecture import sizes, tree


def sample(source: str) -> list[tree.Module]:
    """A module that exists only in this test."""
    return [tree.Module(Path("sample.py"), "sample", source, ast.parse(source))]


@pytest.fixture(scope="module")
def project() -> list[tree.Module]:
    """Every Python file of the project, tests too."""
    return tree.python()


def test_no_file_of_the_project_is_too_long_and_neither_is_the_median(project: list[tree.Module]) -> None:
    assert sizes.too_long_files(project) == []


def test_no_function_of_the_project_is_too_long(project: list[tree.Module]) -> None:
    assert sizes.too_long_functions(project) == []


def test_no_class_of_the_project_is_too_large(project: list[tree.Module]) -> None:
    assert sizes.too_large_classes(project) == []


def test_no_function_of_the_project_takes_too_many_parameters(project: list[tree.Module]) -> None:
    assert sizes.too_many_parameters(project) == []


def test_the_measure_reads_the_tree_at_all(project: list[tree.Module]) -> None:
    assert Path(__file__) in {module.path for module in project}
    for folder in tree.PACKAGES.values():
        assert folder / "__init__.py" in {module.path for module in project}


def test_a_file_at_the_limit_passes_and_one_line_more_does_not() -> None:
    assert not [s for s in sizes.too_long_files(sample("x = 1\n" * 500)) if "sample.py" in s]
    assert sizes.too_long_files(sample("x = 1\n" * 501))[0] == "sample.py: 501 lines, limit 500"


def test_many_middling_files_push_the_median_over_its_limit() -> None:
    assert sizes.too_long_files(sample("x = 1\n" * 151) * 3) == ["the median file has 151 lines, limit 150"]
    assert sizes.too_long_files(sample("x = 1\n" * 150) * 3) == []


def test_a_function_is_measured_with_its_decorators_and_inside_classes() -> None:
    body = "        x = 1\n" * 48
    fits = f"class A:\n    @staticmethod\n    def f():\n{body}"
    assert sizes.too_long_functions(sample(fits)) == []
    assert sizes.too_long_functions(sample(fits + "        x = 1\n")) == ["sample.py:2 f: 51 lines, limit 50"]
    late = "async def f():\n" + "    x = 1\n" * 50
    assert sizes.too_long_functions(sample(late)) == ["sample.py:1 f: 51 lines, limit 50"]


def test_a_class_with_too_many_methods_is_found() -> None:
    methods = [f"    def m{n}(self): ...\n" for n in range(21)]
    assert sizes.too_large_classes(sample("class A:\n" + "".join(methods[:20]))) == []
    assert sizes.too_large_classes(sample("class A:\n" + "".join(methods))) == [
        "sample.py:1 A: 21 methods, limit 20"
    ]


@pytest.mark.parametrize(
    "source",
    ["def f(a, b, c, d, e, f, g, h): ...", "def f(a, /, b, *, c, d, e, f, g, h): ...",
     "def f(a, b, c, d, e, f, *g, **h): ...", "class A:\n def f(self, a, b, c, d, e, f, g, h): ..."],
)  # fmt: skip
def test_eight_parameters_of_any_kind_are_too_many(source: str) -> None:
    assert len(sizes.too_many_parameters(sample(source))) == 1


def test_self_does_not_count_as_a_parameter() -> None:
    source = "class A:\n def f(self, a, b, c, d, e, f, g): ..."
    assert sizes.too_many_parameters(sample(source)) == []
