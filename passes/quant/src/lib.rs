//! StruM weight formats: choosing low members, packing, unpacking, checking.
