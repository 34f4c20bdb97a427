//! The extents that are asked for. Invariant: a shape has extents above 0.

/// The shape of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// Its name; may be left out if there is only one.
    pub input: Option<String>,
    /// Its extents.
    pub shape: Vec<i64>,
}

impl InputShape {
    /// Reads `[NAME=]1x224x224x3`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Names of tensors may contain the sign, extents do not.
        let (input, extents) = match text.rsplit_once('=') {
            Some((name, extents)) => (Some(name.to_owned()), extents),
            None => (None, text),
        };
        let extent = |part: &str| part.parse().ok().filter(|&extent: &i64| (1..=1 << 32).contains(&extent));
        let shape = extents.split('x').map(extent).collect::<Option<Vec<_>>>();
        let shape = shape.ok_or_else(|| {
            format!(
                "'{text}': expected extents such as 1x224x224x3, behind NAME= if there are several inputs"
            )
        })?;
        Ok(InputShape { input, shape })
    }

    /// The shape, if it agrees with what is known.
    ///
    /// # Errors
    /// The known and the given extents.
    pub(super) fn fit(&self, name: &str, known: &[Option<i64>]) -> Result<Vec<i64>, String> {
        let text: Vec<String> = known.iter().map(|d| d.map_or("?".into(), |d| d.to_string())).collect();
        let text = text.join("x");
        let fits = known.len() == self.shape.len()
            && known.iter().zip(&self.shape).all(|(known, given)| known.is_none_or(|known| known == *given));
        if !fits {
            let given: Vec<String> = self.shape.iter().map(i64::to_string).collect();
            return Err(format!("input '{name}' has the shape {text}, and {} is given", given.join("x")));
        }
        Ok(self.shape.clone())
    }
}

/// All that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The extent of dynamic first dimensions of other arguments.
    pub batch: Option<u64>,
    /// Shapes of arguments.
    pub input_shapes: Vec<InputShape>,
}

impl Request {
    /// Checks that every shape is that of an argument.
    pub(super) fn check(&self, names: &[String]) -> Result<(), String> {
        if self.batch == Some(0) {
            return Err("a batch of 0".into());
        }
        let list = || names.join("', '");
        for (index, InputShape { input, .. }) in self.input_shapes.iter().enumerate() {
            match input {
                None if names.len() == 1 && self.input_shapes.len() == 1 => {}
                None => return Err(format!("a shape without a name: the inputs are '{}'", list())),
                Some(name) if !names.contains(name) => {
                    return Err(format!("no input is called '{name}': the inputs are '{}'", list()));
                }
                Some(name)
                    if self.input_shapes.iter().take(index).any(|o| o.input.as_ref() == Some(name)) =>
                {
                    return Err(format!("two shapes of input '{name}'"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The shape of an argument, if it is given.
    pub(super) fn shape_of(&self, name: &str, inputs: usize) -> Option<&InputShape> {
        self.input_shapes.iter().find(|shape| match &shape.input {
            Some(input) => input == name,
            None => inputs == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_with_and_without_names() {
        let shape = |text| InputShape::parse(text).map(|s| (s.input, s.shape));
        assert_eq!(shape("1x224x224x3"), Ok((None, vec![1, 224, 224, 3])));
        assert_eq!(shape("a=b=7"), Ok((Some("a=b".into()), vec![7])));
        for wrong in ["", "x", "1x", "0x3", "-1x3", "1,2", "a=", "1x4294967297"] {
            assert!(shape(wrong).unwrap_err().contains("expected extents such as 1x224x224x3"), "{wrong}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let names = ["a", "b"].map(str::to_owned);
        let request = |list: &[&str]| Request {
            batch: None,
            input_shapes: list.iter().map(|text| InputShape::parse(text).unwrap()).collect(),
        };
        let refused = |list: &[&str]| request(list).check(&names).unwrap_err();
        assert_eq!(refused(&["1x2"]), "a shape without a name: the inputs are 'a', 'b'");
        assert_eq!(refused(&["c=1x2"]), "no input is called 'c': the inputs are 'a', 'b'");
        assert_eq!(refused(&["a=1x2", "a=1x2"]), "two shapes of input 'a'");
        assert_eq!(
            Request { batch: Some(0), ..Request::default() }.check(&names).unwrap_err(),
            "a batch of 0"
        );
        let shape = InputShape::parse("2x3").unwrap();
        assert_eq!(shape.fit("a", &[None, Some(3)]), Ok(vec![2, 3]));
        assert_eq!(
            shape.fit("a", &[None, Some(4)]).unwrap_err(),
            "input 'a' has the shape ?x4, and 2x3 is given"
        );
        assert_eq!(
            shape.fit("a", &[Some(2), Some(4)]).unwrap_err(),
            "input 'a' has the shape 2x4, and 2x3 is given"
        );
        assert_eq!(shape.fit("a", &[Some(2), Some(3)]), Ok(vec![2, 3]));
    }
}
