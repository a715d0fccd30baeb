"""The assembler: PLENA assembly text to 32-bit words, as docs/isa.md specifies the text form."""

from __future__ import annotations

import re
from difflib import get_close_matches

from plena_ref.isa.instructions import INSTRUCTIONS, Instruction, Kind, Operand

_COMMENT = re.compile(r";|//")
_DECIMAL = re.compile(r"-?[0-9]+")
_ZERO = re.compile(r"0+")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")
_REGISTER = re.compile(r"(gp|f|a)([0-9]{1,9})")
_PREFIX = {Kind.GP: "gp", Kind.GP_OR_ZERO: "gp", Kind.F: "f", Kind.A: "a"}

#: Directive that places one word as it is: `.word 0x00000034`.
WORD_DIRECTIVE = ".word"


class AssemblyError(ValueError):
    """Assembly text that does not follow the ISA; the message reads `file:line: what: why`.

    Attributes:
        filename: as given to `assemble`.
        line: line number, from 1.
        reason: the message without file and line.
    """

    def __init__(self, filename: str, line: int, reason: str) -> None:
        super().__init__(f"{filename}:{line}: {reason}")
        self.filename = filename
        self.line = line
        self.reason = reason


class _OperandError(ValueError):
    """Why one operand is refused."""


def _literal(text: str, limit: int) -> int:
    """The value of a decimal literal that must lie in 0..limit-1."""
    if not _DECIMAL.fullmatch(text):
        raise _OperandError("expected a decimal literal")
    digits = text.lstrip("-").lstrip("0")
    value = int(digits or "0") if len(digits) <= 10 else limit
    if value >= limit or (text.startswith("-") and value):
        raise _OperandError(f"does not fit, must lie in 0..{limit - 1}")
    return value


def _register(text: str, operand: Operand) -> int:
    """The index of a register of the operand's kind."""
    prefix = _PREFIX[operand.kind]
    match = _REGISTER.fullmatch(text)
    if match is None or match[1] != prefix:
        raise _OperandError(f"expected {operand.kind.value}")
    if int(match[2]) >= operand.limit:
        raise _OperandError(f"register out of range, must be {prefix}0..{prefix}{operand.limit - 1}")
    return int(match[2])


def _value(text: str, operand: Operand) -> int:
    """The value of one operand's text.

    Raises:
        _OperandError: wrong kind, register out of range, or a literal that does not fit.
    """
    kind = operand.kind
    if kind is Kind.IMM or kind is Kind.FLAG:
        return _literal(text, operand.limit)
    if kind is Kind.ZERO or (kind is Kind.GP_OR_ZERO and _DECIMAL.fullmatch(text)):
        if not _ZERO.fullmatch(text):
            raise _OperandError(f"expected {kind.value}")
        return 0
    if kind is Kind.IGNORED:
        if not _DECIMAL.fullmatch(text) and not _REGISTER.fullmatch(text):
            raise _OperandError(f"expected {kind.value}")
        return 0
    return _register(text, operand)


def _count_rule(instruction: Instruction) -> str:
    required = sum(not operand.optional for operand in instruction.operands)
    total = len(instruction.operands)
    return str(total) if required == total else f"{required} to {total}"


def _encode(instruction: Instruction, texts: list[str]) -> int:
    """The word for an instruction with these operand texts; ValueError says what is wrong."""
    operands = instruction.operands
    required = sum(not operand.optional for operand in operands)
    if not required <= len(texts) <= len(operands):
        shown = ", ".join(texts) or "none"
        raise ValueError(
            f"operands '{shown}': {instruction.mnemonic} takes {_count_rule(instruction)}, got {len(texts)} "
            f"(form: {instruction.text_form})"
        )
    values = []
    for index, operand in enumerate(operands):
        value = 0
        if index < len(texts):
            try:
                value = _value(texts[index], operand)
            except _OperandError as error:
                raise ValueError(f"operand {index + 1} '{texts[index]}' ({operand.name}): {error}") from None
        if operand.field is not None:
            values.append(value)
    return instruction.encode(values)


def _word(texts: list[str]) -> int:
    """The value of a `.word` directive."""
    if len(texts) != 1:
        shown = ", ".join(texts) or "none"
        raise ValueError(f"operands '{shown}': {WORD_DIRECTIVE} takes 1, got {len(texts)}")
    text = texts[0]
    if not _HEX.fullmatch(text):
        try:
            return _literal(text, 1 << 32)
        except _OperandError as error:
            raise ValueError(f"operand 1 '{text}' (word): {error} (or hexadecimal, 0x...)") from None
    digits = text[2:].lstrip("0")
    if len(digits) > 8:
        raise ValueError(f"operand 1 '{text}' (word): does not fit in 32 bits")
    return int(digits or "0", 16)


def split_comment(source: str) -> tuple[str, str]:
    """A source line as code, indentation included, and comment without its mark; both may be empty."""
    code, *comment = _COMMENT.split(source, maxsplit=1)
    return code.rstrip(), comment[0].strip() if comment else ""


def _assemble_line(source: str) -> int | None:
    """The word of one source line; None when it holds only a comment or nothing."""
    code = split_comment(source)[0].strip()
    if not code:
        return None
    mnemonic, *rest = code.split(maxsplit=1)
    texts = [text.strip() for text in rest[0].split(",")] if rest else []
    if mnemonic == WORD_DIRECTIVE:
        return _word(texts)
    instruction = INSTRUCTIONS.get(mnemonic)
    if instruction is None:
        close = get_close_matches(mnemonic, INSTRUCTIONS, n=1)
        hint = f", did you mean {close[0]}?" if close else ""
        raise ValueError(f"mnemonic '{mnemonic}': unknown{hint}")
    if not instruction.legal:
        raise ValueError(f"mnemonic '{mnemonic}': has no defined semantics")
    return _encode(instruction, texts)


def assemble(text: str, filename: str = "<string>") -> list[int]:
    """Assemble a program.

    Args:
        text: one instruction or `.word` a line; comments run from `;` or `//` to the end of the line.
        filename: for error messages.

    Returns:
        The program's 32-bit words in order.

    Raises:
        AssemblyError: an unknown mnemonic, a register out of range, a wrong operand count or kind, or
            an immediate that does not fit.
    """
    words = []
    for number, source in enumerate(text.splitlines(), start=1):
        try:
            word = _assemble_line(source)
        except ValueError as error:
            raise AssemblyError(filename, number, str(error)) from None
        if word is not None:
            words.append(word)
    return words
