"""Write frozen.json: what pycocoevalcap 1.2 makes of some captions.

pip install pycocoevalcap==1.2     # 100 MB, so no test needs it; it runs Java
python -m tests.metrics.freeze
"""

import json
from pathlib import Path

FROZEN = Path(__file__).with_name("frozen.json")
PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos.jsonl"
IMAGES = 30
TEXTS = (
    "A man's dog isn't on the cat's bed; it's outside!",
    "They're two black-and-white cats, aren't they?",
    'A sign that says "STOP" next to a "No Parking" sign.',
    "A plane, flight 1,000, at 10:30 over the U.S. coast ...",
    "A 3.5 foot tall clock -- or is it 4 feet? -- on a wall.",
    "Someone can't see; nobody cannot hear; we're gonna go, I wanna stay, they gotta leave.",
    "Women's and mens' shoes: red, blue - and green.",
    "\u201cCurly\u201d quotes aren\u2019t rare in captions\u2026",
    "A caf\u00e9 with cr\u00eapes and jalape\u00f1os",
    "a DOG and A cat  with   many spaces .",
    "I'd say he'll win & they've lost; I'm sure we'd agree.",
    "A t-shirt, an x-ray and a 20-year-old man in a 4x4 jeep.",
    "Two dogs (both brown) & a $5 sign [100% real] #1 \u2013 with a * and {more}",
    "Half of a pizza is on one side of the table and/or floor.",
)


def candidates(captions: list[list[str]]) -> dict[str, list[str]]:
    """Captions to judge by the first four of each image: good, wrong, short and repetitive ones."""
    fifth = [texts[4] for texts in captions]
    return {
        "another caption": fifth,
        "another image's": fifth[2:] + fifth[:2],
        "half of it": [" ".join(text.split()[:6]) for text in fifth],
        "twice over": [f"{text} {text}" for text in fifth],
        "a reference": [texts[number % 4] for number, texts in enumerate(captions)],
    }


def main() -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    def tokens(captions: list[list[str]]) -> dict[int, list[str]]:
        numbered = enumerate(captions)
        named = {key: [{"caption": text} for text in texts] for key, texts in numbered}
        return PTBTokenizer().tokenize(named)

    lines = PHOTOS.read_text().splitlines()[:IMAGES]
    captions = [json.loads(line)["captions"] for line in lines]
    references = [texts[:4] for texts in captions]
    split = {
        text: words[0].split() for text, words in zip(TEXTS, tokens([[t] for t in TEXTS]).values())
    }
    written = tokens(references)
    scores = {}
    judged = candidates(captions)
    for name, texts in judged.items():
        said = tokens([[text] for text in texts])
        bleu = Bleu(4).compute_score(written, said, verbose=0)[0]
        values = {f"BLEU-{order}": value for order, value in enumerate(bleu, start=1)}
        values["ROUGE-L"] = float(Rouge().compute_score(written, said)[0])
        values["CIDEr-D"] = float(Cider().compute_score(written, said)[0])
        scores[name] = values
    frozen = {"tokens": split, "references": references, "candidates": judged, "scores": scores}
    FROZEN.write_text(json.dumps(frozen, indent=1) + "\n")


if __name__ == "__main__":
    main()
