"""Which kernels have to use the tensor cores, and what no kernel may contain."""

import re
from dataclasses import dataclass

from tests.cuda.disassembly import Listing

# As SASS spells them, and PTX, which stands in for it where there is no disassembler. HFMA2.MMA is
# an ordinary instruction, so the names are matched from their beginning.
TENSOR_CORES = r"([HIDBQO]|HG|IG|BG|QG)MMA\b|UTC\w*MMA\b|(w|wg)?mma\.|tcgen05\.mma\b"
ATOMICS = r"(U?RED|ATOM)[GS]?R?\b|U(TMA|BLK)REDG?\b|(atom|red|multimem\.red)\.|cp\.reduce\."
LOCAL_MEMORY = r"(LDL|STL)\b|(ld|st)\.local\b"


@dataclass(frozen=True)
class Rule:
    """What holds for the kernels whose name fits.

    Attributes:
        kernels: a regular expression for source and name, such as "lstm_cell: .*".
        tensor_cores: whether the kernel must use them; otherwise it must not.
        forbidden: regular expressions for other instructions. Sums by atomics would come out in
            another order each time.
    """

    kernels: str
    tensor_cores: bool
    forbidden: tuple[str, ...] = (ATOMICS, LOCAL_MEMORY)


# The first that fits counts.
RULES = (
    Rule(r"lstm_cell: (cuda::)?\w+<.*", tensor_cores=False),
    Rule(r"lstm_\w+: cuda::lstm_\w+<cuda::(Half|Tf32)Products<.*", tensor_cores=True),
    Rule(r"lstm_\w+: cuda::lstm_\w+<cuda::ScalarProducts<.*", tensor_cores=False),
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
        products = listing.matching(TENSOR_CORES)
        if rule.tensor_cores and not products:
            told.append(f"{where} does not use the tensor cores")
        if products and not rule.tensor_cores:
            told.append(f"{where} uses the tensor cores: {', '.join(products)}")
        for pattern in rule.forbidden:
            if found := listing.matching(pattern):
                told.append(f"{where} must not contain {', '.join(found)}")
    told += [f"no kernel for the rule {rule.kernels!r}" for rule in rules if rule not in counted]
    return told
