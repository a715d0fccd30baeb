"""The disassembler: a 32-bit word to the assembly text that assembles to it again."""

from __future__ import annotations

from plena_ref.isa.instructions import BY_OPCODE, Instruction, Kind, opcode

_PREFIX = {Kind.GP: "gp", Kind.GP_OR_ZERO: "gp", Kind.F: "f", Kind.A: "a"}


def _operand_texts(instruction: Instruction, word: int) -> list[str]:
    """The operands of a word in text order; optional ones that are not encoded are left out."""
    texts = []
    for operand in instruction.operands:
        if operand.field is None:
            if not operand.optional:
                texts.append("0")
            continue
        value = operand.field.get(word)
        zero_form = operand.kind is Kind.GP_OR_ZERO and value == 0
        texts.append(f"{'' if zero_form else _PREFIX.get(operand.kind, '')}{value}")
    return texts


def disassemble(word: int) -> str:
    """The assembly text of one word.

    A word that is no instruction of the ISA, or that breaks a must-be-zero rule, gives
    `.word 0x%08X`. So does a legal word whose ignored fields are not 0, because no text form can
    carry them; the instruction it executes as follows in a comment. `assemble(disassemble(word))`
    is `[word]` for every word.

    Raises:
        ValueError: `word` is not a 32-bit unsigned value.
    """
    if not 0 <= word < 1 << 32:
        raise ValueError(f"{word} is not a 32-bit word")
    raw = f".word 0x{word:08X}"
    instruction = BY_OPCODE.get(opcode(word))
    if instruction is None or not instruction.legal or word & instruction.zero_mask:
        return raw
    text = f"{instruction.mnemonic} {', '.join(_operand_texts(instruction, word))}".rstrip()
    if word & instruction.ignored_mask:
        return f"{raw} ; {text} (ignored fields are not 0)"
    return text
