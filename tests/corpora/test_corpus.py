import collections
import hashlib
import re
from itertools import islice

import pytest
from trigrams import accuracy_by_phenomenon

from slm_jax.corpora import write_corpus
from slm_jax.corpora.lexicon import HEROES, TOPICS
from slm_jax.corpora.pairs import PHENOMENA
from slm_jax.corpora.stories import distinct_stories
from slm_jax.errors import InputError
from slm_jax.files import read_jsonl

GRAMMAR = "the this these is are was were will be near behind he she him her himself herself"
FUNCTION_WORDS = {*GRAMMAR.split(), "yesterday", "tomorrow"}


def sentences_of(text):
    return [sentence.strip() for sentence in text.split(".") if sentence.strip()]


def words_of(sentence):
    return re.findall("[a-z]+", sentence.lower())


def said(sentence):
    """What a sentence says, told apart from the project's own rule: its content words in any order, a plural
    counted as its singular."""
    singular = {
        noun.plural: noun.singular for topic in TOPICS.values() for noun in topic.creatures + topic.things
    }
    words = set(re.findall("[a-z]+", sentence.lower())) - FUNCTION_WORDS
    return frozenset(singular.get(word, word) for word in words)


def test_no_combination_of_an_evaluation_item_occurs_in_a_story(stories, pairs, cloze):
    told = {said(sentence) for row in stories for sentence in sentences_of(row["text"])}
    asked = {said(row[key]) for row in pairs for key in ("sentence_good", "sentence_bad")}
    # In argument_structure the bad sentence has the other verb, so it is another combination: it is excluded
    # by being ungrammatical.
    good = {said(row["sentence_good"]) for row in pairs} | {said(row["ending_good"]) for row in cloze}
    assert len(good) > 200
    assert min(map(len, good)) >= 2
    assert not good & told
    verb_changed = {said(r["sentence_bad"]) for r in pairs if r["UID"] == "argument_structure"}
    assert not (asked - verb_changed) & told


def test_no_evaluation_sentence_is_a_story_sentence(stories, pairs, cloze):
    told = {sentence for row in stories for sentence in sentences_of(row["text"])}
    for row in pairs:
        assert row["sentence_good"].rstrip(".") not in told
        assert row["sentence_bad"].rstrip(".") not in told
    assert not {row["ending_good"].rstrip(".") for row in cloze} & told


def test_every_word_of_the_pairs_is_frequent_in_the_stories(stories, pairs):
    train = [row["text"] for row in stories if row["split"] == "train"]
    counts = collections.Counter(word for text in train for word in re.findall("[a-z]+", text.lower()))
    words = {word for row in pairs for word in re.findall("[a-z]+", row["sentence_good"].lower())}
    assert min(counts[word] for word in words) >= 100
    assert len(counts) == 108  # as the documentation says


def form(sentence):
    """A sentence with its open-class words replaced by their class: the construction it is an example of."""
    classes = {}
    for topic in TOPICS.values():
        classes |= dict.fromkeys(topic.places, "PLACE")
        for noun in topic.creatures + topic.things:
            classes |= {noun.singular: "NOUN", noun.plural: "NOUNS"}
    classes |= {name.lower(): gender for name, gender in HEROES.items()}
    words = re.findall("[a-z]+", sentence.lower())
    return " ".join(word if word in FUNCTION_WORDS else classes.get(word, "WORD") for word in words)


def test_every_construction_of_the_pairs_is_frequent_in_the_stories(stories, pairs):
    counts = collections.Counter(
        form(sentence) for row in stories if row["split"] == "train" for sentence in sentences_of(row["text"])
    )
    rarest = min((counts[form(row["sentence_good"])], row["sentence_good"]) for row in pairs)
    assert rarest[0] >= 20, rarest


def test_bad_sentences_are_outside_the_grammar(stories, pairs):
    """No bad sentence has a form that occurs in a story, so that acceptability follows from the stories."""
    told = {form(sentence) for row in stories for sentence in sentences_of(row["text"])}
    transitive = {"found", "carried", "painted", "wanted"}
    for row in pairs:
        if row["UID"] == "argument_structure":
            # Here the verb's class is the violation: a transitive verb without an object, or the reverse.
            words = row["sentence_bad"].rstrip(".").split()
            has_object = words[0] == "Near"
            assert bool(transitive & set(words)) != has_object
        else:
            assert form(row["sentence_bad"]) not in told, row["sentence_bad"]
        assert form(row["sentence_good"]) in told


def test_pairs_are_minimal(pairs):
    for row in pairs:
        good, bad = (row[key].lower().rstrip(".").split() for key in ("sentence_good", "sentence_bad"))
        assert len(good) == len(bad)
        if row["UID"] == "word_order":
            assert sorted(good) == sorted(bad) and good != bad
        else:
            assert sum(g != b for g, b in zip(good, bad, strict=True)) == 1


def test_word_frequencies_alone_do_not_tell_good_from_bad(stories, pairs):
    """A model that only counts words is at chance, in every phenomenon."""
    counts = collections.Counter(
        word for row in stories for word in re.findall("[a-z]+", row["text"].lower())
    )
    scores = collections.defaultdict(list)
    for row in pairs:
        good, bad = (re.findall("[a-z]+", row[key].lower()) for key in ("sentence_good", "sentence_bad"))
        (g,) = {counts[w] for w in set(good) - set(bad)} or {0}
        (b,) = {counts[w] for w in set(bad) - set(good)} or {0}
        scores[row["UID"]].append(0.5 if g == b else float(g > b))
    assert scores.keys() == PHENOMENA.keys()
    for uid, wins in scores.items():
        assert 0.4 <= sum(wins) / len(wins) <= 0.6, uid


def test_the_grammar_can_be_learned_from_the_stories(stories, pairs):
    """A word trigram model with back-off, trained on the stories, does better than chance on unseen pairs."""
    sentences = (words_of(sentence) for row in stories for sentence in sentences_of(row["text"]))
    accuracy = accuracy_by_phenomenon(sentences, pairs, words_of)
    local = (
        "subject_verb_agreement",
        "anaphor_gender_agreement",
        "determiner_noun_agreement",
        "pronoun_case",
    )
    assert all(accuracy[uid] > 0.8 for uid in local), accuracy
    assert accuracy["agreement_across_pp"] < 0.8, "the noun beside the verb should mislead a short context"


def test_stories_keep_to_their_topic(stories):
    for row in stories:
        nouns = {form for topic in TOPICS.values() for noun in topic.creatures for form in noun}
        own = {form for noun in TOPICS[row["topic"]].creatures for form in noun}
        words = set(re.findall("[a-z]+", row["text"].lower()))
        assert words & nouns <= own
        assert len({hero for hero in HEROES if hero.lower() in words}) <= 1


def test_twenty_thousand_stories_are_distinct_and_a_small_corpus_begins_a_large_one(stories):
    texts = [story.text for story in islice(distinct_stories(0), 20_000)]
    assert len(set(texts)) == 20_000
    assert texts[: len(stories)] == [row["text"] for row in stories]


def test_splits(stories):
    share = sum(row["split"] == "validation" for row in stories) / len(stories)
    assert 0.02 <= share <= 0.05
    assert {row["split"] for row in stories} == {"train", "validation"}


def test_pairs_are_balanced_and_distinct(pairs):
    by_uid = collections.defaultdict(list)
    for row in pairs:
        by_uid[row["UID"]].append(row)
    assert {uid: len(rows) for uid, rows in by_uid.items()} == dict.fromkeys(PHENOMENA, 60)
    for rows in by_uid.values():
        assert len({row["sentence_good"] for row in rows}) == 60
        assert len({row["pairID"] for row in rows}) == 60
    feminine = sum("herself" in row["sentence_good"] for row in by_uid["anaphor_gender_agreement"])
    assert feminine == 30


def test_each_cloze_ending_is_right_once_and_wrong_once(cloze):
    good = [row["ending_good"] for row in cloze]
    assert len(set(good)) == len(good)
    assert sorted(good) == sorted(row["ending_bad"] for row in cloze)
    for row in cloze:
        assert row["topic"] != row["topic_bad"]
        assert abs(len(row["ending_good"].split()) - len(row["ending_bad"].split())) <= 1


@pytest.mark.parametrize("items", [2, 3, 7])
def test_small_cloze_sets(tmp_path, items):
    write_corpus(tmp_path, stories=2, pairs_per_phenomenon=0, cloze_items=items, seed=3)
    rows = read_jsonl(tmp_path / "cloze.jsonl")
    assert len(rows) == items
    assert all(row["topic"] != row["topic_bad"] for row in rows)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    digests = [
        [
            hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("stories.jsonl", "pairs.jsonl", "cloze.jsonl")
        ]
        for folder in (
            write_corpus(tmp_path / str(i), stories=50, pairs_per_phenomenon=10, cloze_items=10, seed=seed)
            for i, seed in enumerate((7, 7, 8))
        )
    ]
    assert digests[0] == digests[1]
    assert all(a != b for a, b in zip(digests[0], digests[2], strict=True))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"stories": 1}, "stories 1: must be at least 2"),
        ({"pairs_per_phenomenon": -1}, "pairs_per_phenomenon -1"),
        ({"pairs_per_phenomenon": 5000}, "distinct held-out pairs; ask for fewer"),
        ({"cloze_items": 1}, "cloze_items 1"),
        ({"cloze_items": 100_000}, "ask for fewer"),
    ],
)
def test_sizes_out_of_range_are_refused(tmp_path, sizes, message):
    defaults = {"stories": 10, "pairs_per_phenomenon": 4, "cloze_items": 4, "seed": 0}
    with pytest.raises(InputError, match=message):
        write_corpus(tmp_path, **(defaults | sizes))
    assert not list(tmp_path.iterdir())
