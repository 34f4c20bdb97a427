//! Dictionary attributes, such as those of a function's arguments.

use strum_mlir_sys as sys;

use crate::{Attribute, ffi};

impl<'c> Attribute<'c> {
    /// The entry of a dictionary attribute; `None` if it is absent, or this is no dictionary.
    pub fn entry(self, name: &str) -> Option<Self> {
        // SAFETY: the entry is asked of dictionaries only; null is taken for absent.
        unsafe {
            if !sys::mlirAttributeIsADictionary(self.raw()) {
                return None;
            }
            Self::from_raw_option(sys::mlirDictionaryAttrGetElementByName(self.raw(), ffi::string_ref(name)))
        }
    }
}
