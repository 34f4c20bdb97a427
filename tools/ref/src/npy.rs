//! Tensors as `.npy` files of bool, int8, int16 and int32. Deliberately independent of `strum-tensors`: what is compared with the simulator
//! should not be read and written by the same code.

use crate::{Dtype, Invalid, Tensor};
use npyz::{NpyFile, Order, TypeStr, WriterBuilder};
use std::io::{self, Read};
use thiserror::Error;

/// Why a file is not a tensor.
#[derive(Debug, Error)]
pub enum NpyError {
    /// Not a `.npy` file, or a truncated one.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An element type that no tensor has.
    #[error("element type {0} is not one of b1, i1, i2, i4, u1, u2")]
    Dtype(String),
    /// Elements in column-major order.
    #[error("column-major arrays are not supported")]
    Fortran,
    /// An illegal shape.
    #[error(transparent)]
    Shape(#[from] Invalid),
}

impl Tensor {
    /// Reads a `.npy` file. Unsigned elements become the signed ones of the same bits.
    ///
    /// # Errors
    /// The file is not a row-major `.npy` of Booleans or 8, 16 or 32-bit integers.
    pub fn from_npy(reader: impl Read) -> Result<Self, NpyError> {
        let file = NpyFile::new(reader)?;
        if file.order() == Order::Fortran && file.shape().iter().filter(|&&extent| extent > 1).count() > 1 {
            return Err(NpyError::Fortran);
        }
        let shape: Vec<_> =
            file.shape().iter().map(|&extent| usize::try_from(extent).unwrap_or(usize::MAX)).collect();
        let name = file.dtype().descr();
        let (dtype, data) = match name.trim_matches(['\'', '<', '>', '|', '=']) {
            "b1" => (Dtype::Bool, read::<bool>(file)?),
            "i1" => (Dtype::I8, read::<i8>(file)?),
            "i2" => (Dtype::I16, read::<i16>(file)?),
            "i4" => (Dtype::I32, read::<i32>(file)?),
            "u1" => (Dtype::I8, read::<u8>(file)?),
            "u2" => (Dtype::I16, read::<u16>(file)?),
            _ => return Err(NpyError::Dtype(name)),
        };
        let data: Vec<_> = data.into_iter().map(|value| dtype.wrap(i128::from(value))).collect();
        Ok(Self::new(dtype, shape, data)?)
    }

    /// The bytes of a `.npy` file.
    ///
    /// # Errors
    /// None in practice: the file is written to memory.
    pub fn to_npy(&self) -> Result<Vec<u8>, NpyError> {
        let mut bytes = Vec::new();
        let shape: Vec<_> = self.shape.iter().map(|&extent| extent as u64).collect();
        match self.dtype {
            Dtype::Bool => write(&mut bytes, "|b1", &shape, self.data.iter().map(|&v| v != 0))?,
            Dtype::I4 | Dtype::I8 => write(&mut bytes, "|i1", &shape, self.data.iter().map(|&v| v as i8))?,
            Dtype::I16 => write(&mut bytes, "<i2", &shape, self.data.iter().map(|&v| v as i16))?,
            Dtype::I32 => write(&mut bytes, "<i4", &shape, self.data.iter().map(|&v| v as i32))?,
            Dtype::I48 => write(&mut bytes, "<i8", &shape, self.data.iter().copied())?,
        }
        Ok(bytes)
    }
}

fn read<T: npyz::Deserialize + Into<i64>>(file: NpyFile<impl Read>) -> Result<Vec<i64>, NpyError> {
    let data = file.data::<T>().map_err(io::Error::other)?;
    Ok(data.map(|value| value.map(Into::into)).collect::<io::Result<_>>()?)
}

fn write<T: npyz::Serialize>(
    bytes: &mut Vec<u8>,
    dtype: &str,
    shape: &[u64],
    data: impl Iterator<Item = T>,
) -> Result<(), NpyError> {
    let dtype: TypeStr = dtype.parse().map_err(io::Error::other)?;
    let options = npyz::WriteOptions::new().dtype(npyz::DType::Plain(dtype)).shape(shape);
    let mut writer = options.writer(bytes).begin_nd()?;
    writer.extend(data)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back() {
        for dtype in Dtype::EVERY {
            let tensor =
                Tensor::new(dtype, [2, 1, 2], [dtype.min(), dtype.min().max(-1), 0, dtype.max()]).unwrap();
            let bytes = tensor.to_npy().unwrap();
            assert_eq!(Tensor::from_npy(bytes.as_slice()).unwrap(), tensor);
            assert!(Tensor::from_npy(&bytes[..bytes.len() - 1]).is_err());
        }
        assert!(Tensor::from_npy(&b"not numpy"[..]).is_err());
    }
}
