//! Sizes of cells from a LEF file, for libraries whose Liberty file gives a cell the area 0.

use super::{LibertyError, Library};

impl Library {
    /// Gives every cell with area 0 the area of its LEF macro: width times height, µm².
    ///
    /// # Errors
    ///
    /// A macro without a readable size.
    pub fn complete_areas(&mut self, file: &str, text: &str) -> Result<(), LibertyError> {
        let mut current = None;
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["MACRO", name, ..] => current = Some(*name),
                ["SIZE", width, "BY" | "by", height, ..] => {
                    let size = |word: &str| {
                        word.trim_end_matches(';').parse::<f64>().ok().filter(|size| *size > 0.0)
                    };
                    let (Some(width), Some(height)) = (size(width), size(height)) else {
                        return Err(LibertyError::Value {
                            file: file.to_owned(),
                            line: number + 1,
                            at: format!("macro '{}'", current.unwrap_or_default()),
                            what: format!("expected SIZE WIDTH BY HEIGHT, found '{}'", line.trim()),
                        });
                    };
                    if let Some(cell) = current.and_then(|name| self.cells.get_mut(name))
                        && cell.area == 0.0
                    {
                        cell.area = width * height;
                        self.digest.push_str(&format!("+{}:{}", cell.name, cell.area));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
