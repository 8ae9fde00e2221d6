"""Which kernels have to use the tensor cores, and what no kernel may contain."""

import re
from dataclasses import dataclass

from tests.cuda.disassembly import Listing

# As SASS spells them, and PTX, which stands in for it where there is no disassembler. HFMA2.MMA is
# an ordinary instruction, so the names are matched from their beginning.
TENSOR_CORES = r"([HIDBQO]|HG|IG|BG|QG)MMA\b|UTC\w*MMA\b|(w|wg)?mma\.|tcgen05\.mma\b"
# The same for one type of operands. SASS names all but float16.
FLOAT16 = r"HMMA\b(?!.*\.(BF16|TF32)\b)|mma\..*\.f16\.f16\."
BFLOAT16 = r"HMMA\..*\.BF16\b|mma\..*\.bf16\.bf16\."
TF32 = r"HMMA\..*\.TF32\b|mma\..*\.tf32\.tf32\."
ATOMICS = r"(U?RED|ATOM)[GS]?R?\b|U(TMA|BLK)REDG?\b|(atom|red|multimem\.red)\.|cp\.reduce\."
LOCAL_MEMORY = r"(LDL|STL)\b|(ld|st)\.local\b"


@dataclass(frozen=True)
class Rule:
    """What holds for the kernels whose name fits.

    Attributes:
        kernels: a regular expression for source and name, such as "lstm_cell: .*".
        tensor_cores: a regular expression for the products that the kernel must have on them; it
            must have no others, and none at all without.
        since: the architecture below which the kernel is empty.
        forbidden: regular expressions for other instructions. Sums by atomics would come out in
            another order each time.
    """

    kernels: str
    tensor_cores: str | None
    since: int = 0
    forbidden: tuple[str, ...] = (ATOMICS, LOCAL_MEMORY)

    def products_on(self, arch: str) -> str | None:
        """``tensor_cores`` for an architecture."""
        return self.tensor_cores if int(re.sub(r"\D", "", arch)) >= self.since else None


_OPERANDS = {
    r"HalfProducts<__half>": FLOAT16,
    r"HalfProducts<__nv_bfloat16>": BFLOAT16,
    r"Tf32Products<[13]>": TF32,
}
_CLUSTERS = 90


# The first that fits counts.
RULES = (
    Rule(r"conv_frames: cuda::conv_frames_kernel<__half, .*", FLOAT16),
    Rule(r"conv_frames: cuda::conv_frames_kernel<__nv_bfloat16, .*", BFLOAT16),
    Rule(r"gpu: .*", tensor_cores=None),
    Rule(
        r"(lstm_cell|frames_to_input|relu_max_pool_lrn|cross_entropy): (cuda::)?\w+<.*",
        tensor_cores=None,
    ),
    *(
        Rule(rf"lstm_\w+: cuda::lstm_cluster_\w+<cuda::{name}, .*", products, since=_CLUSTERS)
        for name, products in _OPERANDS.items()
    ),
    # Blocks of a cluster that share out the depth.
    *(
        Rule(rf"lstm_\w+: cuda::lstm_grid_\w+<cuda::{name}, {row}>.*", products, since=_CLUSTERS)
        for name, products in _OPERANDS.items()
        for row in (r"\d+, [24], \d+, \d+, \d+", r"[24], \d+, \d+, \d+")
    ),
    *(
        Rule(rf"lstm_\w+: cuda::lstm_\w+<cuda::{name}, .*", products)
        for name, products in _OPERANDS.items()
    ),
    Rule(r"lstm_\w+: cuda::lstm_\w+<cuda::ScalarProducts<.*", tensor_cores=None),
    *(
        Rule(rf"vocabulary_top_k: cuda::block_top_k<cuda::{name}, .*", products)
        for name, products in _OPERANDS.items()
        if "Half" in name
    ),
    Rule(r"vocabulary_top_k: cuda::block_top_k<cuda::ScalarProducts<.*", tensor_cores=None),
    Rule(r"vocabulary_top_k: cuda::merge_top_k<.*", tensor_cores=None),
)


def complaints(listings: list[Listing], rules: tuple[Rule, ...] = RULES) -> list[str]:
    """What is wrong with the kernels, or with the rules, one sentence each."""
    told = []
    counted = set()
    for listing in listings:
        where = f"{listing.name} for {listing.arch}"
        rule = next((rule for rule in rules if re.fullmatch(rule.kernels, listing.name)), None)
        if rule is None:
            told.append(f"{where} fits no rule in {__name__}")
            continue
        counted.add(rule)
        wanted = rule.products_on(listing.arch)
        right = listing.matching(wanted) if wanted else []
        wrong = [code for code in listing.matching(TENSOR_CORES) if code not in right]
        if wanted and not right:
            told.append(f"{where} does not use the tensor cores for its type")
        if wrong:
            told.append(f"{where} uses the tensor cores for what it should not: {', '.join(wrong)}")
        for pattern in rule.forbidden:
            if found := listing.matching(pattern):
                told.append(f"{where} must not contain {', '.join(found)}")
    told += [f"no kernel for the rule {rule.kernels!r}" for rule in rules if rule not in counted]
    return told
