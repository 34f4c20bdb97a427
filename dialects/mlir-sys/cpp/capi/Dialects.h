// Handles of the dialects, and access to their types and attributes.

#pragma once

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Strum, strum);
MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(Dpu, dpu);

/// The parts of a weight format attribute: the method, and the values of its fields in table order. Both live as long as the context.
typedef struct {
  MlirStringRef method;
  intptr_t nValues;
  const int64_t *values;
} StrumFormat;

/// Reads a format attribute; false for any other attribute.
bool strumAttributeGetFormat(MlirAttribute attribute, StrumFormat *format);
/// Builds a format attribute. The null attribute after an error at `location` if the format is not legal.
MlirAttribute strumFormatGetChecked(MlirLocation location, StrumFormat format);

/// The parts of a #strum.rescale.
typedef struct {
  int32_t zp;
  int32_t multiplier;
  int32_t shift;
  bool doubleRound;
  bool isUnsigned;
} StrumRescale;

bool strumAttributeGetRescale(MlirAttribute attribute, StrumRescale *rescale);
MlirAttribute strumRescaleGetChecked(MlirLocation location, StrumRescale rescale);

/// The parts of a #strum.ppe. The lists, `channels` long, live as long as the context; `table` is `dense`, or the null attribute if there
/// is none.
typedef struct {
  intptr_t channels;
  const int32_t *multiplier;
  const int32_t *shift;
  bool doubleRound;
  bool isUnsigned;
  int32_t zp;
  int32_t clampLo;
  int32_t clampHi;
  MlirAttribute table;
} StrumPpe;

bool strumAttributeGetPpe(MlirAttribute attribute, StrumPpe *ppe);
MlirAttribute strumPpeGetChecked(MlirLocation location, StrumPpe ppe);

/// Reads the kind of a strum.eltwise (0 add, 1 sub, 2 mul, 3 max, 4 min); -1 for any other attribute.
int32_t strumAttributeGetEltwiseKind(MlirAttribute attribute);
MlirAttribute strumEltwiseKindGet(MlirContext context, int32_t kind);

/// The parts of a !strum.packed; the shape lives as long as the context.
typedef struct {
  intptr_t rank;
  const int64_t *shape;
  MlirAttribute format;
} StrumPacked;

bool strumTypeGetPacked(MlirType type, StrumPacked *packed);
MlirType strumPackedTypeGetChecked(MlirLocation location, StrumPacked packed);

/// The parts of a !dpu.buffer; the shape lives as long as the context.
typedef struct {
  bool sram;
  intptr_t rank;
  const int64_t *shape;
  MlirType elementType;
} DpuBuffer;

bool dpuTypeGetBuffer(MlirType type, DpuBuffer *buffer);
MlirType dpuBufferTypeGetChecked(MlirLocation location, DpuBuffer buffer);

MlirType dpuBarrierTypeGet(MlirContext context);

/// The stage of a dpu.program (0 draft, 1 allocated, 2 scheduled); -1 for any other attribute.
int32_t dpuAttributeGetStage(MlirAttribute attribute);
/// The null attribute if the stage is unknown.
MlirAttribute dpuStageGet(MlirContext context, int32_t stage);

#ifdef __cplusplus
}
#endif
