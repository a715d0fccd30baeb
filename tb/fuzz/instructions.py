"""Random instructions of every unit with valid addresses, drawn from the table by shape."""

from __future__ import annotations

from plena_ref.isa.policies import POLICIES
from tb.fuzz.transfers import Transfers
from tb.fuzz.writer import of_shapes


class Instructions(Transfers):
    """One method for each kind of instruction; each draws among all instructions of its shapes."""

    def m_mm(self) -> None:
        """M_MM in either column-offset form, or M_TMM."""
        block = self.below(self.hw.p) * self.hw.blen
        transposed = self.chance(0.5)
        offset = block if not transposed and self.chance(0.5) else block * self.hw.mlen
        vector = self.window()
        ready = self.holding(self.is_block)
        if ready and self.chance(0.5):
            matrix = self.pick(ready)
        else:
            matrix = self.constant(self.tile() + offset, vector)
        if transposed:
            self.emit("M_TMM", vector, matrix)
        else:
            self.emit("M_MM", matrix, vector)

    def m_mm_wo(self) -> None:
        """M_MM_WO at any column block, with a row stride that fits."""
        first = self.pick(self.hot.rows)
        room = (self.hw.vram_rows - 1 - first) // (self.hw.blen - 1)
        strides = [stride for stride in (0, 1, 2, 3, self.hw.mlen) if stride <= room]
        address = first * self.hw.mlen + self.below(self.hw.p) * self.hw.blen
        destination, imm = self.split(address)
        stride = 0 if self.chance(0.6) else self.constant(self.pick(strides), destination)
        self.emit("M_MM_WO", destination, stride, imm)

    def m_mv(self) -> None:
        """M_MV in either column-offset form, or M_TMV."""
        block = self.below(self.hw.p) * self.hw.blen
        entry = self.pick(of_shapes("ROW_PRODUCT", "ROW_PRODUCT_T"))
        columns = entry.shape.name == "ROW_PRODUCT"
        offset = block if columns and self.chance(0.5) else block * self.hw.mlen
        vector = self.row()
        self.emit(entry.mnemonic, self.constant(self.tile() + offset, vector), vector)

    def m_mv_wo(self) -> None:
        """M_MV_WO, often followed by a use of the row it wrote to."""
        row = self.row_number() * self.hw.mlen
        self.emit("M_MV_WO", *self.split(row + self.below(self.hw.p) * self.hw.blen))
        if self.chance(0.5):
            self.use_row(row)

    def m_head(self) -> None:
        """A per-head product, with the tile and the offset in it shared out between the two registers."""
        entry = self.pick(of_shapes("HEAD_PRODUCT", "HEAD_ROW_PRODUCT"))
        whole = entry.shape.name == "HEAD_PRODUCT"
        vector = self.rows_from(self.hw.mlen) if whole else self.row()
        if vector is None:
            return
        address = self.tile() + self.below(self.hw.lanes) * self.hw.hlen
        part = self.pick((0, 1, self.hw.hlen, self.tile()))
        if part > address:
            part = 0
        extra = self.constant(part, vector)
        self.emit(entry.mnemonic, extra, self.constant(address - part, vector, extra), vector)

    def m_head_wo(self) -> None:
        """M_BMM_WO or M_BMV_WO, often followed by a use of one of the rows it wrote."""
        name, rows = ("M_BMM_WO", self.hw.mlen) if self.chance(0.3) else ("M_BMV_WO", 1)
        count = self.hw.lanes * rows
        first = self.rows_from(count)
        if first is None:
            return
        address = self.known[first]
        self.emit(name, *self.split(address))
        if self.chance(0.6):
            self.use_row(address + self.pick((0, count // 2, count - 1)) * self.hw.mlen)

    def use_row(self, address: int) -> None:
        """An instruction that reads the row at `address`, or overwrites it."""
        kind = self.below(5)
        if kind == 0:
            self.emit(self.pick(("V_RED_MAX", "V_RED_SUM")), self.f(), self.constant(address), 0)
        elif kind == 1:
            self.emit("S_MAP_V_FP", self.constant(address), 0, 0)
        elif kind == 2:
            vector = self.constant(address)
            self.emit("M_MV", self.constant(self.tile(), vector), vector)
        else:
            row = self.constant(address)
            self.emit("V_MUL_VF", self.row(row) if kind == 3 else row, row, self.f(), self.below(2))

    def topk(self) -> None:
        """V_TOPK of a row that may just have been written, often followed by a use of what it wrote."""
        value = self.below(2)
        policy = POLICIES[value]
        if policy.chosen > self.hw.int_words:
            return
        row = self.rows_from(-(-policy.logits // self.hw.mlen))
        if row is None:
            return
        if self.chance(0.3):
            self.emit("V_ADD_VF", row, row, self.f(), self.below(2))
        weights = self.fp_word(policy.chosen)
        indices = min(self.pick(self.hot.int_words), self.hw.int_words - policy.chosen)
        fp = self.constant(weights, row)
        integer = self.constant(indices, row, fp)
        if self.chance(0.2):
            self.emit("S_ST_FP", self.f(), fp, self.below(policy.chosen))
        self.emit("V_TOPK", fp, row, integer, value)
        for _ in range(self.below(3)):
            n = self.below(policy.chosen)
            kind = self.below(5)
            if kind == 0:
                self.emit("S_LD_FP", self.f(), fp, n)
            elif kind == 1:
                self.emit("S_ST_FP", self.f(), fp, n)
            elif kind == 2:
                self.emit("S_LD_INT", self.target(fp, integer), integer, n)
            elif kind == 3:
                self.emit("S_ST_INT", self.below(16), integer, n)
            else:
                start = min(weights, self.hw.fp_words - self.hw.mlen)
                row = self.row(fp, integer)
                self.emit("S_MAP_V_FP", row, *self.split(start, row, fp, integer))

    def vector(self) -> None:
        """A row instruction, often in place."""
        pool = of_shapes("VV") + of_shapes("VF", "VF_REVERSIBLE") + of_shapes("V1") + of_shapes("SHIFT")
        entry = self.pick(pool)
        name, shape = entry.mnemonic, entry.shape.name
        a = self.row()
        d = a if self.chance(0.3) else self.row(a)
        rmask = self.below(2)
        if shape == "SHIFT":
            n = self.pick([r for r in range(16) if r not in self.walkers])
            if self.chance(0.7):
                n = self.constant(self.below(self.hw.mlen + 2), a, d)
            self.emit(name, d, a, n)
        elif shape == "V1":
            self.emit(name, d, a, rmask)
        elif shape == "VV":
            self.emit(name, d, a, self.row(a, d), rmask)
        elif shape == "VF_REVERSIBLE":
            self.emit(name, d, a, self.f(), rmask, self.below(2))
        else:
            self.emit(name, d, a, self.f(), rmask)

    def reduction(self) -> None:
        """V_RED_SUM or V_RED_MAX, often with the f register used on both sides."""
        name = self.pick(of_shapes("REDUCTION")).mnemonic
        f = self.f()
        if self.chance(0.3):
            self.emit("S_LD_FP", f, *self.split(self.fp_word()))
        self.emit(name, f, self.row(), self.below(2))
        if self.chance(0.4):
            row = self.row()
            self.emit("V_SUB_VF", row, row, f, 0, self.below(2))

    def map_row(self) -> None:
        """S_MAP_V_FP."""
        destination = self.row()
        self.emit("S_MAP_V_FP", destination, *self.split(self.fp_word(self.hw.mlen), destination))

    def float_arithmetic(self) -> None:
        """A scalar float operation."""
        entry = self.pick(of_shapes("F3") + of_shapes("F2"))
        self.emit(entry.mnemonic, *(self.f() for _ in entry.encoded))

    def float_memory(self) -> None:
        """S_LD_FP or S_ST_FP."""
        self.emit(self.pick(of_shapes("F_LOAD", "F_STORE")).mnemonic, self.f(), *self.split(self.fp_word()))

    def integer(self) -> None:
        """Integer arithmetic on whatever the registers hold."""
        entry = self.pick(of_shapes("G3") + of_shapes("G_IMMEDIATE") + of_shapes("G_UPPER"))
        name, shape = entry.mnemonic, entry.shape.name
        sources = self.below(16), self.below(16)
        destination = 0 if self.chance(0.1) else self.target()
        if shape == "G_UPPER":
            self.emit(name, destination, self.below(1 << 22))
        elif shape == "G_IMMEDIATE":
            self.emit(name, destination, sources[0], self.below(1 << 18))
        else:
            self.emit(name, destination, *sources)

    def integer_memory(self) -> None:
        """S_LD_INT or S_ST_INT."""
        address, imm = self.split(self.pick(self.hot.int_words))
        if self.chance(0.5):
            self.emit("S_ST_INT", self.below(16), address, imm)
        else:
            self.emit("S_LD_INT", 0 if self.chance(0.1) else self.target(address), address, imm)

    def v_mask(self) -> None:
        """C_SET_V_MASK_REG from any register."""
        register = (
            self.below(16) if self.chance(0.3) else self.constant(self.below(1 << min(self.hw.lanes, 17)))
        )
        self.emit("C_SET_V_MASK_REG", register)
