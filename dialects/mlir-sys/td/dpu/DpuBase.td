// Common parts of all instructions of the dpu dialect.

#ifndef DPU_BASE_TD
#define DPU_BASE_TD

include "dpu/DpuTypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// The resource that instructions modify and declarations fix: nothing that touches it twice may be merged,
/// moved or dropped.
def Dpu_Machine : Resource<"::dpu::MachineResource">;
def Dpu_Effects : MemoryEffects<[MemRead<Dpu_Machine>, MemWrite<Dpu_Machine>]>;

class Dpu_Op<string mnemonic, list<Trait> traits = []> : Op<Dpu_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
  code classDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() { return ::verifyInRust(getOperation()); }
  }];
  let extraClassDefinition = classDefinition;
}

/// An instruction. Its text is the name of each field that is not at its default, followed by its value, in table order.
class Dpu_Instr<string mnemonic, list<Trait> traits = []>
    : Dpu_Op<mnemonic, !listconcat([Dpu_Effects, HasParent<"ProgramOp">], traits)> {
  let hasCustomAssemblyFormat = 1;
  let extraClassDefinition = classDefinition # [{
    ::mlir::ParseResult $cppClass::parse(::mlir::OpAsmParser &parser, ::mlir::OperationState &result) {
      return ::dpu::parseInstr(parser, result);
    }
    void $cppClass::print(::mlir::OpAsmPrinter &printer) { ::dpu::printInstr(printer, getOperation()); }
  }];
}

// The kinds of fields.
class Dpu_Int<int default> : DefaultValuedAttr<I64Attr, !cast<string>(default)>;
class Dpu_Ints<int default>
    : DefaultValuedAttr<DenseI64ArrayAttr, "{" # !interleave(!listsplat(default, 6), ", ") # "}">;
def Dpu_Flag : DefaultValuedAttr<BoolAttr, "false">;
class Dpu_Keyword<string default> : DefaultValuedStrAttr<StrAttr, default>;
def Dpu_Barriers : Variadic<Dpu_Barrier>;
def Dpu_Address : Optional<Dpu_Buffer>;
def Dpu_Offset : Dpu_Int<0>;
def Dpu_Layer : OptionalAttr<I64Attr>;

#endif // DPU_BASE_TD
