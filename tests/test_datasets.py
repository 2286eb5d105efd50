"""Readers of official files, and simulated imbalance."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from torch.utils.data import Subset

from sk_crl import MultiOutputCRLClassifier
from sk_crl.datasets import (
    ImageFiles,
    load_attribute_table,
    load_celeba,
    load_cifar100,
    load_deepfashion,
    make_power_law_imbalance,
    power_law_sizes,
)

# -------------------------------------------------------------------------------------- power law


def naive_sizes(n_classes, gamma, largest, smallest, refit):
    """f(i) = a / (i^gamma + b), from two equations: f(1) = largest and f(K) = smallest."""
    exponent = gamma if refit else 1.0
    # a = largest (1 + b) = smallest (K^gamma + b), a linear system in a and b.
    a, b = np.linalg.solve(
        [[1.0, -largest], [1.0, -smallest]], [largest, smallest * n_classes**exponent]
    )
    return [max(round(a / (i**gamma + b)), 1) for i in range(1, n_classes + 1)]


@given(
    st.integers(2, 30),
    st.floats(0.2, 3),
    st.integers(51, 600),
    st.integers(1, 50),
    st.booleans(),
)
def test_sizes_follow_the_law(n_classes, gamma, largest, smallest, refit):
    sizes = power_law_sizes(n_classes, gamma, largest=largest, smallest=smallest, refit=refit)
    expected = naive_sizes(n_classes, gamma, largest, smallest, refit)
    assert np.abs(sizes - expected).max() <= 1  # rounding of halves
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] == largest
    if refit:
        assert sizes[-1] == smallest


def test_the_paper_s_sizes():
    """Sec. 4.3: 500 to 25 images of 100 classes; b = 4.2105, a = 2605.26, N = 8072."""
    expected = [round(2605.263 / (i + 4.210526)) for i in range(1, 101)]
    assert power_law_sizes(100).tolist() == expected
    assert sum(expected) == 8072


def test_gamma_is_read_in_two_ways():
    mild, steep = (power_law_sizes(100, g, refit=False) for g in (0.2, 1.0))
    assert mild[-1] > steep[-1] == 25  # the degree: less of it, larger last classes
    mild, steep = (power_law_sizes(100, g) for g in (0.2, 1.0))
    assert mild[-1] == steep[-1] == 25
    assert mild.sum() < steep.sum()  # refitted, a smaller one bends the law more


def test_equal_ends_are_no_imbalance():
    assert power_law_sizes(4, largest=7, smallest=7).tolist() == [7] * 4
    assert power_law_sizes(1, largest=7, smallest=2).tolist() == [7]


LABELS = np.repeat(["c", "a", "b"], [60, 40, 20])


@given(st.integers(0, 1000), st.booleans())
def test_rows_are_chosen_by_the_seed_in_their_order(seed, balanced):
    rows, again = (
        make_power_law_imbalance(
            LABELS, largest=30, smallest=3, order="size", balanced=balanced, random_state=seed
        )
        for _ in range(2)
    )
    assert_array_equal(rows, again)
    assert (np.diff(rows) > 0).all()
    sizes = [np.sum(LABELS[rows] == label) for label in "cab"]
    law = power_law_sizes(3, largest=30, smallest=3)
    assert sum(sizes) == law.sum()
    assert max(sizes) - min(sizes) <= 1 if balanced else sizes == law.tolist()


def test_another_seed_chooses_other_rows():
    first, second = (
        make_power_law_imbalance(LABELS, largest=20, random_state=seed) for seed in (0, 1)
    )
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("order", "first"), [(None, "a"), ("size", "c"), (["b", "c", "a"], "b")], ids=str
)
def test_order_says_which_class_is_first(order, first):
    rows = make_power_law_imbalance(LABELS, largest=20, smallest=2, order=order, random_state=0)
    assert np.sum(LABELS[rows] == first) == 20


def test_random_order_is_by_the_seed():
    def sizes(seed):
        rows = make_power_law_imbalance(LABELS, largest=20, order="random", random_state=seed)
        return tuple(np.sum(LABELS[rows] == label) for label in "abc")

    orders = {sizes(seed) for seed in range(20)}
    assert len(orders) == 6
    assert {tuple(sorted(order)) for order in orders} == {(1, 2, 20)}


def test_samples_without_a_label_are_not_chosen():
    labels = np.where(np.arange(120) % 2, LABELS, None)
    rows = make_power_law_imbalance(labels, random_state=0)
    assert (rows % 2 == 1).all()


def test_rows_select_from_a_data_set():
    images = torch.utils.data.TensorDataset(torch.zeros(120, 3))
    rows = make_power_law_imbalance(LABELS, largest=20, random_state=0)
    assert len(Subset(images, rows)) == len(rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"largest": 40, "smallest": 20, "balanced": True},
            "Class 'b' has 20 samples, but as number 2 of 3 it must have 29",
        ),
        ({"largest": 50}, r"Class 'a' has 40 samples, but as number 1 of 3 it must have 50"),
        ({"largest": 0}, "largest must be an integer of at least 1, or None; got 0"),
        ({"largest": 5, "smallest": 6}, "largest must be an integer of at least 6, the size of"),
        ({"gamma": 0}, r"gamma must be a number in \(0, inf\); got 0"),
        ({"order": ["a", "b"]}, "order must be None, 'size', 'random', or a list of all labels"),
        ({"order": ["a", "b", "b"]}, "each of them once"),
        ({"order": [1, 2, 3]}, "order must be None"),
        ({"order": ["a", "b", "d"]}, r"order holds labels that are not among the classes"),
        ({"order": "name"}, "order must be None, .* got 'name'"),
        ({"balanced": 1}, "balanced must be True or False"),
    ],
    ids=str,
)
def test_bad_power_laws_are_told(settings, message):
    labels = np.repeat(["a", "b", "c"], [40, 20, 60])
    with pytest.raises(ValueError, match=message):
        make_power_law_imbalance(labels, **settings)


def test_several_targets_are_no_classes_to_thin():
    with pytest.raises(ValueError, match="y must hold the labels of one target; got those of 2"):
        make_power_law_imbalance(np.zeros((4, 2), dtype=int))
    with pytest.raises(ValueError, match="y must hold labels; got none"):
        make_power_law_imbalance([None, None])


# ---------------------------------------------------------------------------------------- CIFAR-100


@pytest.fixture
def cifar():
    """Five images, and their labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    return images, np.array([3, 0, 19, 3, 7]), np.array([99, 0, 5, 42, 7])


NAMES = {"coarse": [f"group {i}" for i in range(20)], "fine": [f"thing {i}" for i in range(100)]}


def write_binary(folder, images, coarse, fine, subset="train"):
    labels = np.column_stack([coarse, fine]).astype(np.uint8)
    records = np.concatenate([labels, images.reshape(len(images), -1)], axis=1)
    records.tofile(folder / f"{subset}.bin")
    for kind, names in NAMES.items():
        (folder / f"{kind}_label_names.txt").write_text("\n".join(names) + "\n")


def write_python(folder, images, coarse, fine, subset="train"):
    """As Python 2 wrote them: keys and names are bytes."""
    content = {
        b"data": images.reshape(len(images), -1),
        b"coarse_labels": coarse.tolist(),
        b"fine_labels": fine.tolist(),
        b"filenames": [b"a.png"] * len(images),
    }
    (folder / subset).write_bytes(pickle.dumps(content, protocol=2))
    meta = {f"{k}_label_names".encode(): [n.encode() for n in v] for k, v in NAMES.items()}
    (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_both_layouts_give_the_same(tmp_path, cifar, write):
    images, coarse, fine = cifar
    write(tmp_path, *cifar, subset="test")
    read = load_cifar100(tmp_path, subset="test")
    assert_array_equal(read.data, images)
    assert_array_equal(read.target, fine)
    assert read.target_names == NAMES["fine"]
    both = load_cifar100(tmp_path, subset="test", labels="both")
    assert_array_equal(both.target, np.column_stack([coarse, fine]))
    assert both.target_names == [NAMES["coarse"], NAMES["fine"]]
    assert_array_equal(load_cifar100(tmp_path, subset="test", labels="coarse").target, coarse)


def test_binary_images_stay_on_disk_and_train(tmp_path, cifar, fast):
    images, _, fine = cifar
    write_binary(tmp_path, *cifar)
    read = load_cifar100(tmp_path)
    assert isinstance(read.data, np.memmap)
    y = fine % 2
    by_file = fast().fit(read.data, y).predict_proba(images)
    assert_array_equal(by_file, fast().fit(images, y).predict_proba(images))


def test_a_file_that_is_cut_off_is_told(tmp_path, cifar):
    write_binary(tmp_path, *cifar)
    path = tmp_path / "train.bin"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"train\.bin is cut off, .* 2974 after the last whole"):
        load_cifar100(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is cut off, or no file of CIFAR-100"):
        load_cifar100(tmp_path)
    write_python(tmp_path, *cifar, subset="test")
    path = tmp_path / "test"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="test cannot be read as a file of CIFAR-100's Python"):
        load_cifar100(tmp_path, subset="test")


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_a_label_outside_its_range_is_told(tmp_path, cifar, write):
    images, coarse, fine = cifar
    fine[3] = 100
    write(tmp_path, images, coarse, fine)
    with pytest.raises(ValueError, match=r"train.*: the fine label of image 3 is 100, and must"):
        load_cifar100(tmp_path)


class Evil:
    """Would touch a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_run_no_code(tmp_path, cifar):
    write_python(tmp_path, *cifar)
    touched = tmp_path / "touched"
    (tmp_path / "train").write_bytes(pickle.dumps({b"data": Evil(touched)}))
    with pytest.raises(ValueError, match="which no file of CIFAR-100 needs"):
        load_cifar100(tmp_path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"data": None}, "must hold images of uint8"),
        ({b"data": np.zeros((4, 3072), np.uint8)}, r"in the shape \(5, 3072\).* got uint8 in the"),
        ({b"coarse_labels": [0]}, "holds 5 fine labels but 1 coarse ones"),
    ],
)
def test_other_pickles_are_told(tmp_path, cifar, change, message):
    write_python(tmp_path, *cifar)
    path = tmp_path / "train"
    content = pickle.loads(path.read_bytes(), encoding="bytes")
    path.write_bytes(pickle.dumps(content | change))
    with pytest.raises(ValueError, match=message):
        load_cifar100(tmp_path)
    path.write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(ValueError, match="it has no coarse_labels, fine_labels"):
        load_cifar100(tmp_path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match="must hold a dict; got a list"):
        load_cifar100(tmp_path)


def test_what_is_missing_is_named(tmp_path, cifar):
    with pytest.raises(FileNotFoundError, match=r"holds neither train\.bin nor train\. Put the"):
        load_cifar100(tmp_path)
    write_binary(tmp_path, *cifar)
    (tmp_path / "fine_label_names.txt").write_text("apple\n")
    with pytest.raises(ValueError, match="must name 100 fine labels; it names 1"):
        load_cifar100(tmp_path)
    (tmp_path / "fine_label_names.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"fine_label_names\.txt is missing"):
        load_cifar100(tmp_path)
    write_python(tmp_path, *cifar, subset="test")
    (tmp_path / "meta").unlink()
    with pytest.raises(FileNotFoundError, match="meta is missing"):
        load_cifar100(tmp_path, subset="test")
    with pytest.raises(ValueError, match="subset must be one of 'train', 'test'; got 'all'"):
        load_cifar100(tmp_path, subset="all")


def test_real_images_are_read_and_thinned_as_in_the_paper(data_folder):
    cifar = load_cifar100(data_folder / "images" / "cifar-100-binary")
    assert cifar.data.shape == (10945, 3, 32, 32)
    assert cifar.target_names[:2] == ["apple", "aquarium_fish"]
    rows = make_power_law_imbalance(cifar.target, random_state=0)
    assert_array_equal(np.bincount(cifar.target[rows]), power_law_sizes(100))
    rows = make_power_law_imbalance(cifar.target, balanced=True, random_state=0)
    assert sorted(np.bincount(cifar.target[rows])) == [80] * 28 + [81] * 72


# ------------------------------------------------------------------------------------- image files


@pytest.fixture
def pictures(tmp_path):
    """Seven images of one colour each, of other sizes and formats, and the paths."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = []
    for i in range(7):
        path = folder / f"{i}.{('png', 'jpg', 'bmp')[i % 3]}"
        Image.new("RGB", (40 + i, 50), (30 * i, 10, 200)).save(path)
        paths.append(path)
    return paths


def test_images_are_read_resized_in_order(pictures):
    images = ImageFiles(pictures, (8, 6))
    assert len(images) == 7
    assert images.shape == (3, 8, 6)
    for i in range(7):
        assert images[i].dtype == torch.uint8
        colour = images[i].float().mean((1, 2))
        assert (colour - torch.tensor([30.0 * i, 10, 200])).abs().max() < 3  # JPEG


def test_grey_and_transparent_images_become_rgb(tmp_path):
    Image.new("L", (9, 9), 77).save(tmp_path / "grey.png")
    Image.new("RGBA", (9, 9), (1, 2, 3, 255)).save(tmp_path / "alpha.png")
    images = ImageFiles([tmp_path / "grey.png", tmp_path / "alpha.png"], (4, 4))
    assert images[0][:, 0, 0].tolist() == [77, 77, 77]
    assert images[1][:, 0, 0].tolist() == [1, 2, 3]


def test_the_cache_holds_what_the_files_hold(pictures, tmp_path, untouched_generators):
    images = ImageFiles(pictures, (8, 6))
    cached = images.cached(tmp_path / "cache.npy")
    assert isinstance(cached, np.memmap)
    assert_array_equal(cached, np.stack([image.numpy() for image in images]))
    assert_array_equal(images.cached(tmp_path / "workers.npy", num_workers=2), cached)


def test_the_cache_is_filled_once(pictures, tmp_path, monkeypatch):
    before = ImageFiles(pictures, (8, 6)).cached(tmp_path / "cache.npy")
    monkeypatch.setattr(ImageFiles, "__getitem__", lambda *_: pytest.fail("decoded again"))
    assert_array_equal(ImageFiles(pictures, (8, 6)).cached(tmp_path / "cache.npy"), before)


def test_a_cache_that_was_stopped_goes_on(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("sk_crl.datasets._image_files._AT_ONCE", 2)
    read, decoded = ImageFiles.__getitem__, []

    def stops(images, index):
        if index == 4:
            raise KeyboardInterrupt
        return read(images, index)

    images = ImageFiles(pictures, (8, 6))
    monkeypatch.setattr(ImageFiles, "__getitem__", stops)
    with pytest.raises(KeyboardInterrupt):
        images.cached(tmp_path / "cache.npy")
    monkeypatch.setattr(
        ImageFiles, "__getitem__", lambda images, i: decoded.append(i) or read(images, i)
    )
    cached = images.cached(tmp_path / "cache.npy")
    assert decoded == [4, 5, 6]
    assert_array_equal(cached, np.stack([read(images, i).numpy() for i in range(7)]))


def test_a_cache_of_something_else_is_refused(pictures, tmp_path):
    path = tmp_path / "cache.npy"
    before = ImageFiles(pictures, (8, 6)).cached(path)
    for other in (ImageFiles(pictures, (6, 8)), ImageFiles(pictures[::-1], (8, 6))):
        with pytest.raises(ValueError, match=r"cache\.npy holds other images, or these at another"):
            other.cached(path)
    assert_array_equal(np.load(path), before)
    np.save(tmp_path / "mine.npy", np.arange(3))
    with pytest.raises(ValueError, match=r"mine\.npy holds other images"):
        ImageFiles(pictures, (8, 6)).cached(tmp_path / "mine.npy")
    assert np.load(tmp_path / "mine.npy").tolist() == [0, 1, 2]
    np.save(path, np.zeros((7, 3, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="has been changed: remove it"):
        ImageFiles(pictures, (8, 6)).cached(path)


def test_a_cache_that_lost_its_file_is_made_again(pictures, tmp_path):
    path = tmp_path / "cache.npy"
    before = np.array(ImageFiles(pictures, (8, 6)).cached(path))
    path.unlink()
    assert_array_equal(ImageFiles(pictures, (8, 6)).cached(path), before)


def test_bad_images_are_named(pictures, tmp_path):
    lines = [f"line {i + 3} of list.txt" for i in range(7)]
    pictures[3].write_bytes(pictures[3].read_bytes()[:60])
    with pytest.raises(ValueError, match=r"3\.png \(line 6 of list\.txt\) cannot be read as an"):
        ImageFiles(pictures, (8, 6), lines)[3]
    pictures[4].write_text("no image")
    with pytest.raises(ValueError, match=r"4\.jpg cannot be read as an image"):
        ImageFiles(pictures, (8, 6))[4]
    pictures[5].unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 7 images are missing, first .*5\.bmp \(lin"):
        ImageFiles(pictures, (8, 6), lines)


def test_bad_sizes_are_refused(pictures):
    with pytest.raises(ValueError, match="size must be a height and a width in pixels; got 8"):
        ImageFiles(pictures, 8)
    with pytest.raises(ValueError, match="width must be an integer of at least 1; got 0"):
        ImageFiles(pictures, (8, 0))
    with pytest.raises(ValueError, match="paths must name at least one file"):
        ImageFiles([], (8, 6))


def test_images_train_from_files_as_from_a_cache(pictures, tmp_path, fast):
    images, y = ImageFiles(pictures, (8, 6)), np.array([0, 0, 0, 0, 1, 1, 1])
    cached = images.cached(tmp_path / "cache.npy")
    by_file = fast().fit(images, y).predict_proba(cached)
    assert_array_equal(fast().fit(cached, y).predict_proba(images), by_file)


# --------------------------------------------------------------------------- images with attributes


def write_celeba(folder, pictures):
    (folder / "img_align_celeba").mkdir()
    for i, path in enumerate(pictures):
        Image.open(path).save(folder / "img_align_celeba" / f"{i:06}.jpg")
    lines = [f"{i:06}.jpg -1  1 {-1 if i % 2 else 1:2d}" for i in range(7)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(["7", "Bald Male Young ", *lines, ""]))
    parts = [f"{i:06}.jpg {0 if i < 4 else i - 4}" for i in range(7)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")


def test_celeba(tmp_path, pictures):
    write_celeba(tmp_path, pictures)
    faces = load_celeba(tmp_path)
    assert faces.data.shape == (3, 55, 47)
    assert [path.name for path in faces.paths] == [f"{i:06}.jpg" for i in (0, 1, 2, 3, 4)]
    assert faces.target.tolist() == [[0, 1, 1 - i % 2] for i in range(5)]
    assert faces.target_names == ["Bald", "Male", "Young"]
    for subset, i in (("validation", 5), ("test", 6)):
        part = load_celeba(tmp_path, subset=subset, size=(9, 8), cache=tmp_path / f"{subset}.npy")
        assert [path.name for path in part.paths] == [f"{i:06}.jpg"]
        assert part.data.shape == (1, 3, 9, 8)


def write_deepfashion(folder, pictures, inner=True):
    for name in ("Anno", "Eval", "Img/img") if inner else ("img",):
        (folder / name).mkdir(parents=True)
    anno, evaluation, images = (
        (folder / "Anno", folder / "Eval", folder / "Img") if inner else (folder, folder, folder)
    )
    for path in pictures:
        Image.open(path).save(images / "img" / f"{path.stem}.jpg")
    head = "image_name  attribute_labels"
    lines = [f"img/{i}.jpg  {-1 if i > 4 else 1} {(-1, 0, 1)[i % 4 % 3]:2d}" for i in range(7)]
    (anno / "list_attr_img.txt").write_text("\n".join(["7", head, *lines, ""]))
    names = ["2", "attribute_name  attribute_type", "a-line   3", "abstract chevron print 1"]
    (anno / "list_attr_cloth.txt").write_text("\n".join(names) + "\n")
    parts = [f"img/{i}.jpg   {('train', 'val', 'test')[i % 3]}" for i in range(7)]
    lines = ["7", "image_name evaluation_status", *parts, ""]
    (evaluation / "list_eval_partition.txt").write_text("\n".join(lines))


@pytest.mark.parametrize("inner", [True, False])
def test_deepfashion(tmp_path, pictures, inner):
    write_deepfashion(tmp_path, pictures, inner)
    clothes = load_deepfashion(tmp_path, size=(10, 10))
    assert clothes.target_names == ["a-line", "abstract chevron print"]
    assert clothes.target_types.tolist() == [3, 1]
    assert [path.name for path in clothes.paths] == ["0.jpg", "3.jpg", "6.jpg"]
    assert clothes.target.tolist() == [[1, 0], [1, 0], [0, 1]]
    clothes = load_deepfashion(tmp_path, subset="validation", size=(10, 10))
    assert clothes.target.tolist() == [[1, 0], [1, -1]][::-1]


def test_unknown_attributes_are_missing_labels(tmp_path, pictures):
    write_deepfashion(tmp_path, pictures)
    path = tmp_path / "Eval" / "list_eval_partition.txt"
    path.write_text(path.read_text().replace("val", "train").replace("test", "train"))
    clothes = load_deepfashion(tmp_path, size=(8, 8), cache=tmp_path / "clothes.npy")
    model = MultiOutputCRLClassifier(missing_label=-1, max_epochs=1, random_state=0)
    model.fit(clothes.data, clothes.target)
    assert [classes.tolist() for classes in model.classes_] == [[0, 1], [0, 1]]
    assert [counts.sum() for counts in model.class_counts_] == [7, 5]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "7\n", "8\n", "must have 8 entries, as its line 1 says; it has 7"),
        ("list_attr_celeba.txt", "7\n", "x\n", "line 1 must say how many entries .* got 'x'"),
        ("list_attr_celeba.txt", "000003.jpg -1  1 -1", "000003.jpg -1  1", "line 6 must have 3 a"),
        (
            "list_attr_celeba.txt",
            "000003.jpg -1",
            "000003.jpg 2",
            "line 6: 'Bald' must be 1, -1, o",
        ),
        (
            "list_eval_partition.txt",
            "000002.jpg 0",
            "000002.jpg 7",
            "line 3 must name an image and",
        ),
        ("list_eval_partition.txt", "000002.jpg 0", "", "1 are missing, first 000002.jpg"),
    ],
    ids=lambda text: None,
)
def test_damaged_lists_are_told_by_file_and_line(tmp_path, pictures, name, old, new, message):
    write_celeba(tmp_path, pictures)
    path = tmp_path / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=f"{name},? .*{message}|{name} must .*{message}"):
        load_celeba(tmp_path)


@pytest.mark.parametrize("line", ["abstract chevron print", "abstract chevron print 6", " 1"])
def test_attributes_of_no_type_are_told_by_file_and_line(tmp_path, pictures, line):
    write_deepfashion(tmp_path, pictures)
    path = tmp_path / "Anno" / "list_attr_cloth.txt"
    path.write_text(path.read_text().replace("abstract chevron print 1", line))
    with pytest.raises(
        ValueError, match=r"list_attr_cloth\.txt, line 4 must be a name and its type"
    ):
        load_deepfashion(tmp_path)


def test_missing_lists_and_images_are_named(tmp_path, pictures):
    with pytest.raises(FileNotFoundError, match=r"list_attr_celeba\.txt is missing"):
        load_celeba(tmp_path)
    write_celeba(tmp_path, pictures)
    (tmp_path / "img_align_celeba" / "000003.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"000003\.jpg \(line 6 of list_attr_celeba\.txt\)"):
        load_celeba(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_attribute_tables(tmp_path, pictures, suffix):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "file": [f"pictures/{path.name}" for path in pictures],
            "colour": ["red", None, "blue", "red", "blue", "red", "red"],
            "length": [1, 2, 1, 1, 2, 1, 1],
        }
    )
    table = tmp_path / f"clothes{suffix}"
    (frame.to_csv if suffix == ".csv" else frame.to_parquet)(table, index=False)
    known = {"colour": ["red", "blue"], "length": [1, 2]}
    clothes = load_attribute_table(table, image="file", classes=known, size=(8, 8))
    assert clothes.target_names == ["colour", "length"]
    assert clothes.target["length"].tolist() == frame["length"].tolist()
    assert clothes.paths == pictures
    model = MultiOutputCRLClassifier(max_epochs=1, random_state=0)
    model.fit(clothes.data, clothes.target)
    assert [c.tolist() for c in model.classes_] == [["blue", "red"], [1, 2]]
    only = load_attribute_table(
        table, image="file", targets=["length"], folder=tmp_path, cache=tmp_path / "c.npy"
    )
    assert only.target.columns.tolist() == ["length"]
    assert only.data.shape == (7, 3, 64, 64)


def test_bad_attribute_tables_are_told(tmp_path, pictures):
    table = tmp_path / "clothes.csv"
    with pytest.raises(FileNotFoundError, match=r"clothes\.csv is missing"):
        load_attribute_table(table)
    table.write_text("image,colour\npictures/0.png,red\npictures/1.jpg,green\n")
    with pytest.raises(ValueError, match=r"line 3 of clothes\.csv: 'colour' must be one of \['red"):
        load_attribute_table(table, classes={"colour": ["red", "blue"]})
    with pytest.raises(ValueError, match="classes names 'color', which is no target"):
        load_attribute_table(table, classes={"color": ["red"]})
    with pytest.raises(ValueError, match=r"must have a column 'file' of paths .*, with 'file'; it"):
        load_attribute_table(table, image="file")
    with pytest.raises(
        ValueError, match=r"table must be a file of \.csv or \.parquet; got 'a\.txt'"
    ):
        load_attribute_table(tmp_path / "a.txt")
    table.write_text("image,colour\npictures/0.png,red\n,green\n")
    with pytest.raises(
        ValueError, match=r"line 3 of clothes\.csv names no image in column 'image'"
    ):
        load_attribute_table(table)
    table.write_text("image,colour\npictures/0.png,red\npictures/9.png,green\n")
    with pytest.raises(FileNotFoundError, match=r"9\.png \(line 3 of clothes\.csv\)"):
        load_attribute_table(table)
