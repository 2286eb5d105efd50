"""Labels in any container: what is read of them, and the way to class codes and back."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from ids import steady

from sk_crl._containers import decode
from sk_crl._labels import LabelColumn, read_labels, read_single_target
from sk_crl._targets import Targets

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

few = settings(derandomize=True, deadline=None, max_examples=25)

TEXTS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=6,
)
# Labels by their type: what they are, and what NumPy, pandas and polars call a column of them.
KINDS = {
    "str": (TEXTS, "U", "str", pl.String),
    "int": (st.integers(-(2**31), 2**31 - 1), "i8", "Int64", pl.Int64),
    "small": (st.integers(0, 255), "u1", "UInt8", pl.UInt8),
    "bool": (st.booleans(), "?", "boolean", pl.Boolean),
    "whole_float": (st.integers(-99, 99).map(float), "f8", "float64", pl.Float64),
}


@st.composite
def tables(draw, kinds=tuple(KINDS), holes=True, same=False):
    """Columns of labels, None where one is missing, and their kinds; each holds a label."""
    n = draw(st.integers(1, 7))
    n_targets = draw(st.integers(1, 4))
    of = [draw(st.sampled_from(kinds))] * n_targets if same else None
    of = of or draw(st.lists(st.sampled_from(kinds), min_size=n_targets, max_size=n_targets))
    columns = []
    for kind in of:
        labels = KINDS[kind][0]
        cells = st.one_of(st.none(), labels) if holes else labels
        columns.append(draw(st.lists(cells, min_size=n, max_size=n)))
        assume(any(cell is not None for cell in columns[-1]))
    return columns, of


def rows_of(columns):
    return [list(row) for row in zip(*columns, strict=True)]


def as_objects(columns, _):
    table = np.empty((len(columns[0]), len(columns)), dtype=object)
    for target, column in enumerate(columns):
        table[:, target] = column
    return table


def as_pandas(columns, kinds):
    series = [pd.Series(c, dtype=KINDS[k][2]) for c, k in zip(columns, kinds, strict=True)]
    return pd.DataFrame({f"t{i}": s for i, s in enumerate(series)})


def as_categories(columns, kinds):
    return as_pandas(columns, kinds).astype("category")


def as_polars(columns, kinds):
    series = [
        pl.Series(f"t{i}", c, dtype=KINDS[k][3])
        for i, (c, k) in enumerate(zip(columns, kinds, strict=True))
    ]
    return pl.DataFrame(series)


CONTAINERS = {
    "objects": as_objects,
    "lists": lambda columns, _: rows_of(columns),
    "tuples": lambda columns, _: [tuple(row) for row in rows_of(columns)],
    "pandas": as_pandas,
    "pandas_category": as_categories,
    "polars": as_polars,
}


def cells_of(Y):
    """The cells of any container, as a list of columns."""
    if isinstance(Y, pl.DataFrame):
        return [Y[name].to_list() for name in Y.columns]
    if isinstance(Y, pd.DataFrame):
        return [Y[name].tolist() for name in Y.columns]
    if scipy.sparse.issparse(Y):
        Y = Y.toarray()
    return np.asarray(Y).T.tolist()


def types_of(Y):
    """What makes two containers equal in kind."""
    if isinstance(Y, pl.DataFrame):
        return type(Y), list(Y.schema.items())
    if isinstance(Y, pd.DataFrame):
        return type(Y), list(Y.dtypes.items())
    return type(Y), Y.dtype, Y.shape[1]


def round_trip(Y, missing_label=None):
    """Labels, classes, codes, and what becomes of the codes (the first class in every hole)."""
    labels = read_labels(Y, missing_label)
    classes = labels.classes()
    codes = labels.codes(classes)
    return labels, classes, codes, decode(codes.clip(min=0), classes, labels)


# ---------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("container", CONTAINERS)
@given(table=tables())
@few
def test_labels_come_back(container, table):
    columns, kinds = table
    labels, classes, codes, back = round_trip(CONTAINERS[container](columns, kinds))
    assert len(labels) == len(columns[0])
    assert codes.shape == (len(columns[0]), len(columns))
    assert codes.dtype == np.int64
    for target, cells in enumerate(columns):
        known = {cell for cell in cells if cell is not None}
        assert classes[target].tolist() == sorted(known)
        expected = [-1 if c is None else sorted(known).index(c) for c in cells]
        assert codes[:, target].tolist() == expected
        assert labels.columns[target].is_missing.tolist() == [c is None for c in cells]
        filled = [min(known) if cell is None else cell for cell in cells]
        assert cells_of(back)[target] == filled


@pytest.mark.parametrize("container", ["pandas", "pandas_category", "polars"])
@given(table=tables())
@few
def test_frames_come_back_with_their_names_and_types(container, table):
    columns, kinds = table
    Y = CONTAINERS[container](columns, kinds)
    labels, *_, back = round_trip(Y)
    assert types_of(back) == types_of(Y)
    assert labels.names == tuple(f"t{i}" for i in range(len(columns)))
    assert [column.title for column in labels] == [f"target 't{i}'" for i in range(len(columns))]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@few
def test_arrays_come_back_with_their_type(kind, data):
    columns, _ = data.draw(tables(kinds=[kind], holes=False))
    Y = np.array(rows_of(columns), dtype=KINDS[kind][1])
    labels, *_, back = round_trip(Y)
    assert type(back) is np.ndarray
    assert back.dtype == Y.dtype
    assert np.array_equal(back, Y)
    assert labels.names is None
    assert [column.title for column in labels] == [f"target {i}" for i in range(len(columns))]


@pytest.mark.parametrize("kind", ["str", "int", "bool", "whole_float"])
@given(data=st.data())
@few
def test_lists_come_back_as_the_arrays_that_they_make(kind, data):
    columns, _ = data.draw(tables(kinds=[kind], holes=False))
    rows = rows_of(columns)
    *_, back = round_trip(rows)
    assert back.tolist() == rows
    if kind != "str":
        assert back.dtype == np.array(rows).dtype


SPARSE = ["csr_array", "csc_array", "coo_array", "lil_array", "dok_array", "csr_matrix"]


@pytest.mark.parametrize("kind", SPARSE)
@given(table=tables(kinds=["small"], holes=False), dtype=st.sampled_from(["i8", "u1", "?", "f8"]))
@few
def test_sparse_labels_come_back_sparse(kind, table, dtype):
    columns, _ = table
    dense = (np.array(rows_of(columns)) % 3).astype(dtype)
    Y = getattr(scipy.sparse, kind)(dense)
    *_, back = round_trip(Y)
    assert scipy.sparse.issparse(back)
    assert isinstance(back, scipy.sparse.sparray) == isinstance(Y, scipy.sparse.sparray)
    assert back.dtype == dense.dtype
    assert np.array_equal(back.toarray(), dense)


@pytest.mark.parametrize("container", [*CONTAINERS, "csr"])
def test_what_stays_of_a_container_has_no_rows_and_can_be_pickled(container):
    columns = [["a", "b", "a"], [3, 1, 3]]
    if container == "csr":
        Y = scipy.sparse.csr_array([[0, 1], [1, 0], [2, 2]])
    else:
        Y = CONTAINERS[container](columns, ["str", "int"])
    labels, classes, codes, expected = round_trip(Y)
    empty = labels.take(np.empty(0, dtype=int))
    assert len(empty) == 0
    assert empty.template.shape == (0, 2)
    kept = pickle.loads(pickle.dumps(Targets(classes, empty)))
    assert cells_of(kept.decode(codes)) == cells_of(expected)
    assert types_of(kept.decode(codes)) == types_of(expected)


# ---------------------------------------------------------------------------------- missing labels

HOLES = {
    "None": (None, None),
    "nan": (float("nan"), None),
    "numpy_nan": (np.float32("nan"), None),
    "NA": (pd.NA, None),
    "NaT": (pd.NaT, None),
    "code": (-1, -1),
    "float_code": (-1.0, -1),
    "numpy_code": (np.int8(-1), -1),
    "word": ("?", "?"),
    "None_beside_a_code": (None, -1),
    "nan_beside_a_word": (float("nan"), "?"),
}


@pytest.mark.parametrize("hole", HOLES)
@given(table=tables(kinds=["str", "int", "bool"]))
@few
def test_every_mark_of_a_missing_label_is_the_same(hole, table):
    """In an object array each cell stands as it is; a word among numbers is a mark, too."""
    columns, kinds = table
    assume(not any(cell in (-1, "?") for column in columns for cell in column))
    mark, missing_label = HOLES[hole]
    marked = as_objects([[mark if c is None else c for c in column] for column in columns], kinds)
    _, classes, codes, _ = round_trip(marked, missing_label)
    _, expected_classes, expected, _ = round_trip(as_objects(columns, kinds))
    assert np.array_equal(codes, expected)
    assert [c.tolist() for c in classes] == [c.tolist() for c in expected_classes]


@given(table=tables(kinds=["int"]), code=st.sampled_from([-1, 0, 2**40]))
@few
def test_a_code_in_an_array_of_integers(table, code):
    columns, _ = table
    assume(not any(cell == code for column in columns for cell in column))
    Y = np.array([[code if c is None else c for c in column] for column in columns]).T
    _, classes, codes, back = round_trip(Y, code)
    expected = as_objects(columns, None)
    assert np.array_equal(codes == -1, expected == None)  # noqa: E711
    assert not any(code in known for known in classes)
    assert back.dtype == Y.dtype


@pytest.mark.parametrize("dtype", ["U", object])
def test_a_word_in_an_array_of_strings(dtype):
    Y = np.array([["a", "?"], ["?", "b"], ["c", "d"]]).astype(dtype)
    _, classes, codes, back = round_trip(Y, "?")
    assert codes.tolist() == [[0, -1], [-1, 0], [1, 1]]
    assert [c.tolist() for c in classes] == [["a", "c"], ["b", "d"]]
    assert back.tolist() == [["a", "b"], ["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_code_or_a_word_in_a_frame(library):
    columns = {"size": [1, -1, 2], "colour": ["red", "?", "blue"]}
    frame = {"pandas": pd, "polars": pl}[library].DataFrame(columns)
    assert round_trip(frame, -1)[2].tolist() == [[0, 2], [-1, 0], [1, 1]]
    assert round_trip(frame, "?")[2].tolist() == [[1, 1], [0, -1], [2, 0]]


@pytest.mark.parametrize("kind", ["csr_array", "lil_matrix"])
def test_a_code_in_a_sparse_array(kind):
    """Rare enough to be stored, it stands for no label there as everywhere."""
    Y = getattr(scipy.sparse, kind)(np.array([[0, 1], [-1, 0], [1, -1]]))
    _, classes, codes, _ = round_trip(Y, -1)
    assert codes.tolist() == [[0, 1], [-1, 0], [1, -1]]
    assert [c.tolist() for c in classes] == [[0, 1], [0, 1]]


def test_without_a_code_nothing_but_holes_is_missing():
    _, classes, codes, _ = round_trip(np.array([[-1, 0], [1, 1]]))
    assert codes.tolist() == [[0, 0], [1, 1]]
    _, classes, _, _ = round_trip(np.array([["", "?"], ["nan", "None"]]))
    assert [c.tolist() for c in classes] == [["", "nan"], ["?", "None"]]


def test_a_number_for_none_leaves_bools_alone():
    """True is 1 for Python, but a table that marks missing numbers by 1 still has bools."""
    assert round_trip(np.array([[True, False], [False, True]]), 1)[2].tolist() == [[1, 0], [0, 1]]
    objects = np.array([[True, 7], [False, 1]], dtype=object)
    assert round_trip(objects, 1)[2].tolist() == [[1, 0], [0, -1]]


def test_integers_with_holes_stay_integers():
    """A frame has a place for a missing integer, where an array makes floats of all of them."""
    large = 2**60 + 1  # which no float holds
    for frame in [
        pd.DataFrame({"a": pd.array([large, None, 5], dtype="Int64"), "b": [1, 2, 3]}),
        pl.DataFrame({"a": [large, None, 5], "b": [1, 2, 3]}),
    ]:
        _, classes, codes, back = round_trip(frame)
        assert classes[0].tolist() == [5, large]
        assert classes[0].dtype.kind == "i"
        assert codes[:, 0].tolist() == [1, -1, 0]
        assert cells_of(back)[0] == [large, 5, 5]
        assert types_of(back) == types_of(frame)


def test_pandas_columns_of_other_makes():
    frame = pd.DataFrame({
        "nullable_float": pd.array([2.0, None, 1.0], dtype="Float64"),
        "short": np.array([2, np.nan, 1], dtype=np.float32),
        "objects": np.array([2, None, 1], dtype=object),
        "numbers": pd.Categorical([2, None, 1]),
        "ordered": pd.Categorical(["b", None, "a"], categories=["c", "b", "a"], ordered=True),
    })  # fmt: skip
    _, classes, codes, back = round_trip(frame)
    assert codes.tolist() == [[1] * 5, [-1] * 5, [0] * 5]
    assert [c.tolist() for c in classes] == [*[[1, 2]] * 4, ["a", "b"]]
    assert types_of(back) == types_of(frame)


def test_pandas_columns_kept_by_arrow():
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:  # also where it does not get on with NumPy
        pytest.skip(str(error))
    frame = pd.DataFrame({
        "text": pd.array(["b", None, "a"], dtype="string[pyarrow]"),
        "int": pd.array([2, None, 1], dtype="int64[pyarrow]"),
        "bool": pd.array([True, None, False], dtype="bool[pyarrow]"),
    })  # fmt: skip
    _, classes, codes, back = round_trip(frame)
    assert codes.tolist() == [[1] * 3, [-1] * 3, [0] * 3]
    assert [c.tolist() for c in classes] == [["a", "b"], [1, 2], [False, True]]
    assert types_of(back) == types_of(frame)


def test_polars_columns_of_other_makes():
    frame = pl.DataFrame({
        "categories": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["c", "b", "a"])),
        "short": pl.Series([2, None, 1], dtype=pl.Int8),
        "float": pl.Series([2.0, None, 1.0], dtype=pl.Float32),
    })  # fmt: skip
    _, classes, codes, back = round_trip(frame)
    assert codes.tolist() == [[1] * 4, [-1] * 4, [0] * 4]
    assert [c.tolist() for c in classes] == [["a", "b"], ["a", "b"], [1, 2], [1.0, 2.0]]
    assert types_of(back) == types_of(frame)


def test_a_column_without_any_label():
    labels = read_labels(np.array([[None, 1], [None, 2]], dtype=object))
    assert [len(classes) for classes in labels.classes()] == [0, 2]
    assert labels.codes([np.array(["a", "b"]), np.array([1, 2])]).tolist() == [[-1, 0], [-1, 1]]


@given(values=st.lists(st.integers(0, 4), min_size=6, max_size=6))
@few
@example(values=[9, 9, 9, 9, 9, 9])
def test_what_stands_under_a_missing_label_does_not_matter(values):
    is_missing = np.array([False, True, False, True, True, False])
    known = np.array([3, 0, 1, 0, 0, 3])
    column = LabelColumn("y", np.where(is_missing, values, known), is_missing)
    classes = column.classes()
    assert classes.tolist() == [1, 3]
    assert column.codes(classes).tolist() == [1, -1, 0, -1, -1, 1]


# ---------------------------------------------------------------------------------- one dimension


@pytest.mark.parametrize(
    "y",
    [[1, 2, None], np.array([1, 2, np.nan]), pd.Series([1, 2, None], dtype="Int64"),
     pl.Series([1, 2, None]), np.array([1, 2, None], dtype=object)],
    ids=["list", "array", "pandas", "polars", "objects"],
)  # fmt: skip
def test_one_target_without_a_second_dimension(y):
    labels = read_labels(y)
    assert labels.template is None
    (column,) = labels
    assert column.title == "y"
    assert column.is_missing.tolist() == [False, False, True]
    assert labels.classes()[0].tolist() == [1, 2]


def test_strings_are_labels_and_not_rows_of_letters():
    labels = read_labels(["ab", "cd", "ab"])
    assert labels.template is None
    assert labels.classes()[0].tolist() == ["ab", "cd"]


def test_a_single_target_has_all_its_labels():
    assert read_single_target(["b", "a"]).classes()[0].tolist() == ["a", "b"]
    for y in [["a", None], pd.Series(["a", None]), pl.Series(["a", None])]:
        with pytest.raises(ValueError, match="y has no label at row 1, and at 1 of its 2 rows"):
            read_single_target(y)
    with pytest.raises(ValueError, match="y has no label at row 1"):
        read_single_target([1.0, np.nan])


# ------------------------------------------------------------------------------------- targets


@given(table=tables(holes=False), rows=st.lists(st.integers(0, 6), max_size=9))
@few
def test_rows_can_be_taken(table, rows):
    columns, kinds = table
    rows = np.array([row % len(columns[0]) for row in rows], dtype=int)
    labels = read_labels(as_pandas(columns, kinds))
    taken = labels.take(rows)
    assert len(taken) == len(rows)
    assert taken.names == labels.names
    classes = labels.classes()
    assert np.array_equal(taken.codes(classes), labels.codes(classes)[rows])


@given(table=tables(), order=st.permutations(range(4)))
@few
def test_permuted_targets_are_permuted_codes(table, order):
    columns, kinds = table
    order = [target for target in order if target < len(columns)]
    _, classes, codes, back = round_trip(as_objects(columns, kinds))
    permuted = as_objects([columns[target] for target in order], kinds)
    _, permuted_classes, permuted_codes, permuted_back = round_trip(permuted)
    assert np.array_equal(permuted_codes, codes[:, order])
    assert [c.tolist() for c in permuted_classes] == [classes[t].tolist() for t in order]
    assert np.array_equal(permuted_back, back[:, order])


def declared(Y, *classes):
    return Targets.declare([read_single_target(known) for known in classes], read_labels(Y))


@pytest.mark.parametrize(
    ("Y", "more", "label"),
    [
        (np.array([["a", "b"], ["b", "a"]]), ["a", "b", "c, a longer one"], "c, a longer one"),
        (np.array([[0, 1], [1, 0]], dtype=np.int8), [0, 1, 1000], 1000),
        (np.array([[False, True], [True, False]]), [0, 1, 2], 2),
        (np.array([[0, 1], [1, 0]]), [0.0, 1.0, 2.0], 2),
        (pd.DataFrame({"t0": ["a", "b"], "t1": ["b", "a"]}), ["a", "b", "c"], "c"),
        (pd.DataFrame({"t0": ["a", "b"], "t1": ["b", "a"]}, dtype="category"), ["a", "b", "c"],
         "c"),
        (pd.DataFrame({"t0": [0, 1], "t1": [1, 0]}, dtype="Int8"), [0, 1, 1000], 1000),
        (pl.DataFrame({"t0": ["a", "b"], "t1": ["b", "a"]}), ["a", "b", "c"], "c"),
        (pl.DataFrame({"t0": ["a", "b"], "t1": ["b", "a"]},
                      schema={"t0": pl.Enum(["a", "b"]), "t1": pl.Enum(["a", "b"])}),
         ["a", "b", "c"], "c"),
        (pl.DataFrame({"t0": [0, 1], "t1": [1, 0]}, schema={"t0": pl.Int8, "t1": pl.Int8}),
         [0, 1, 1000], 1000),
        (scipy.sparse.csr_array(np.array([[0, 1], [1, 0]], dtype=np.int8)), [0, 1, 1000], 1000),
    ],
    ids=["str", "int8", "bool", "whole_float", "pandas", "pandas_category", "pandas_int8",
         "polars", "polars_enum", "polars_int8", "sparse"],
)  # fmt: skip
def test_classes_declared_beforehand_fit_into_the_container(Y, more, label):
    """The first rows need not hold the longest or largest label; prediction must not cut it."""
    targets = declared(Y, more, more[:2])
    back = targets.decode(np.array([[2, 0], [0, 1]]))
    assert cells_of(back)[0] == [label, more[0]]
    if not isinstance(Y, np.ndarray):
        assert isinstance(back, type(Y))


def test_declared_classes_are_sorted_and_need_no_samples():
    targets = declared([["a", 1], ["b", 2]], ["c", "b", "a", "b"], [2, 1])
    assert [c.tolist() for c in targets.classes] == [["a", "b", "c"], [1, 2]]
    assert targets.encode(read_labels([["c", None]])).tolist() == [[2, -1]]


def test_many_classes_are_no_regression():
    """scikit-learn warns of regression where labels hardly repeat; a list of classes never does."""
    many = list(range(30))
    targets = declared(np.array([[0, 1], [1, 0]]), many, many)
    assert targets.layout.n_classes == (30, 30)


def test_targets_name_what_does_not_fit():
    frame = pd.DataFrame({"colour": ["red", "blue"], "size": [1, 2]})
    targets = Targets.learn(read_labels(frame))
    assert targets.names == ("colour", "size")
    assert targets.titles == ["target 'colour'", "target 'size'"]
    with pytest.raises(ValueError, match=r"Y, target 'size',.*classes \[1, 2\]: \[7\]"):
        targets.encode(read_labels(frame.assign(size=7)), "Y")
    with pytest.raises(ValueError, match=r"Y, target 'size',.*\[1, 2\]: \['red', 'xl'\]"):
        targets.encode(read_labels(frame.assign(size=["xl", "red"])), "Y")
    with pytest.raises(ValueError, match=r"1 targets, but 2 .*'colour', target 'size'"):
        targets.encode(read_labels(frame[["colour"]]), "Y")
    with pytest.raises(ValueError, match=r"\['colour', 'size'\].*\['size', 'colour'\]"):
        targets.encode(read_labels(frame[["size", "colour"]]), "Y")
    # Without names it is the order that counts, and other containers will do.
    codes = targets.encode(read_labels([["blue", 2], ["red", 1], [None, 2]]), "Y")
    assert codes.tolist() == [[0, 1], [1, 0], [-1, 1]]


@pytest.mark.parametrize(
    ("column", "got"),
    [(["a", "a"], "one class only: 'a'"), ([7, None], "one class only: 7"),
     ([None, None], "no label at all"), ([np.nan, np.nan], "no label at all")],
    ids=steady,
)  # fmt: skip
def test_a_target_needs_two_classes(column, got):
    Y = pd.DataFrame({"fine": [1, 2], "poor": pd.Series(column, dtype=object)})
    with pytest.raises(ValueError, match=f"target 'poor' must have two classes.*{got}"):
        Targets.learn(read_labels(Y))


# ------------------------------------------------------------------------------- what is no label

NO_LABELS = {
    "ragged": ([[1, 2], [1]], r"Y must have shape \(n_samples, n_targets\).*rows of 1 to 2 labels"),
    "ragged_and_flat": ([[1, 2], 1], r"n_targets.*rows of 1 to 2 labels"),
    "three_dimensions": (np.zeros((2, 2, 2)), r"n_targets.*got shape \(2, 2, 2\)"),
    "nested": ([[[1], [2]], [[2], [3]]], r"n_targets.*got shape \(2, 2, 1\)"),
    "no_dimension": (3, r"n_targets.*got a int"),
    "a_word": ("red", r"n_targets.*got a str"),
    "no_columns": (np.zeros((3, 0)), r"n_targets.*got shape \(3, 0\)"),
    "empty_frame": (pd.DataFrame(index=range(3)), "a column of its own.*got none"),
    "twice": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column 'a'"),
    "a_list_in_a_cell": ([["a", [1, 2]], ["b", [2]]], r"target 1, must hold a single.*\[1, 2"),
    "mixed": ([["a", 1], [2, 2]], "target 0, mix strings with other types"),
    "mixed_frame": (
        pd.DataFrame({"colour": ["a", 1, None]}, dtype=object), "target 'colour', mix strings"
    ),
    "None": (None, "requires y"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_LABELS)
def test_what_cannot_be_read(kind):
    Y, message = NO_LABELS[kind]
    with pytest.raises(ValueError, match=message):
        read_labels(Y, name="Y")


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        (np.array([[0.5, 1], [1.5, 2]]), "target 0.*continuous"),
        (pd.DataFrame({"a": [1, 2], "weight": [0.5, None]}), "target 'weight'.*continuous"),
        (pl.DataFrame({"a": [1, 2], "weight": [0.5, None]}), "target 'weight'.*continuous"),
        (np.array([[1, np.inf], [2, 0]]), "target 1.*infinity"),
        (np.array([[1, 1j], [2, 0]]), "target 0.*[Cc]omplex"),
        (np.array([[b"a", b"b"], [b"b", b"a"]]), "target 0.*bytes"),
    ],
    ids=["continuous", "pandas", "polars", "infinite", "complex", "bytes"],
)
def test_values_that_are_no_classes_name_their_target(Y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_labels(Y).classes()


@pytest.mark.parametrize("missing_label", [[1], {}, (0,), object(), pd.NA, b"?"], ids=steady)
def test_a_missing_label_is_a_number_or_a_string(missing_label):
    with pytest.raises(ValueError, match="missing_label must be a number or a string; got"):
        read_labels(np.array([[1, 2], [2, 1]]), missing_label)


def test_many_labels_are_shown_in_part():
    targets = Targets.learn(read_labels(np.column_stack([np.arange(60) % 15] * 2)))
    with pytest.raises(ValueError, match=r"\[0, 1, 2.*, 9, \.\.\. 15 in all\]: \[99\]"):
        targets.encode(read_labels([[99, 0]]))
