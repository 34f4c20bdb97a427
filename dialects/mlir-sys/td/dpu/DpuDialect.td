// The dpu dialect: one operation is one instruction of the machine.

#ifndef DPU_DIALECT_TD
#define DPU_DIALECT_TD

include "mlir/IR/OpBase.td"

def Dpu_Dialect : Dialect {
  let name = "dpu";
  let cppNamespace = "::dpu";
  let summary = "programs of the machine, instruction by instruction";
  let description = [{
    A `dpu.program` holds buffers in DRAM and SRAM, barriers, and one operation for each instruction, in the order in which the machine
    fetches them. The instructions' operations are generated from the instruction table (`dialects/isa`): an attribute of the same name
    for each field, and for an address field a buffer and an offset into it. The semantics of instructions are defined in `docs/isa.md`.

    A program goes through three stages. In a `draft`, operations run one after the other, on buffers without addresses; once `allocated`,
    every buffer has its address; once `scheduled`, engines run concurrently, ordered by barriers with physical numbers alone, and the
    program can be encoded.

    Instructions share one text form: the name of each field that is not at its default, followed by its value. A flag is its name alone;
    an address is `field(%buffer + offset : <type>)`, or `field(offset)` where the instruction does not use it; `wait` and `post` are
    lists of barriers. The fields may come in any order, and are printed in the table's.

    A program may have the attributes `tool`, `pipeline` and `input_sha256`, which become the manifest of the binary. Any other
    attribute without a prefix that an operation does not declare is an error, and so is every attribute `dpu.…`.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
}

#endif // DPU_DIALECT_TD
