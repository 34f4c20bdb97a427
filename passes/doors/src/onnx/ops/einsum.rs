//! `Einsum` of one or two operands as a transposition, sums and a product of matrices. Invariant: a letter stands for one axis of an
//! operand, or the operator is refused.

use crate::onnx::call::{Call, one};
use crate::onnx::trouble::{Outcome, invalid, unsupported};
use crate::onnx::value::{Flow, Net, Value};

/// An operand with a letter for each axis.
struct Term {
    flow: Flow,
    letters: Vec<char>,
}

/// `Einsum`.
pub(in crate::onnx) fn einsum(net: &mut Net, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let Some(equation) = call.node.text("equation")? else {
        return invalid("the attribute 'equation' is missing");
    };
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = |c: char| c.is_ascii_alphabetic() || c == ',';
    let (left, right) = equation.split_once("->").map_or((equation.as_str(), None), |(l, r)| (l, Some(r)));
    if !left.chars().chain(right.unwrap_or_default().chars()).all(plain) {
        return unsupported(format!("the equation '{equation}': only letters are supported as axes"));
    }
    let lists: Vec<Vec<char>> = left.split(',').map(|part| part.chars().collect()).collect();
    let to: Vec<char> = match right {
        Some(right) => right.chars().collect(),
        None => once(left),
    };
    let repeats =
        |list: &[char]| (1..list.len()).any(|i| list.iter().take(i).any(|c| list.get(i) == Some(c)));
    if lists.len() != call.inputs.len() || to.iter().any(|c| !lists.iter().any(|list| list.contains(c))) {
        return invalid(format!("the equation '{equation}' for {} operands", call.inputs.len()));
    }
    if lists.len() > 2 || lists.iter().chain([&to]).any(|list| repeats(list)) {
        return unsupported(format!(
            "the equation '{equation}': one or two operands without diagonals are supported"
        ));
    }
    let mut terms = Vec::new();
    for (index, letters) in lists.into_iter().enumerate() {
        let flow = call.floats(net, index)?;
        if net.shape(flow).len() != letters.len() {
            return invalid(format!(
                "the equation '{equation}' for an operand of shape {:?}",
                net.shape(flow)
            ));
        }
        terms.push(Term { flow, letters });
    }
    let made = match <[Term; 2]>::try_from(terms) {
        Ok([a, b]) => net.contracted(a, b, &to)?,
        Err(terms) => {
            terms.into_iter().next().map_or_else(|| invalid("no operand"), |x| net.summed(x, &to))?
        }
    };
    one(net.arranged(made, &to)?)
}

/// The letters that are there once, in alphabetical order: the result of an equation without arrow.
fn once(left: &str) -> Vec<char> {
    let mut letters: Vec<char> =
        left.chars().filter(|&c| c != ',' && left.chars().filter(|&d| d == c).count() == 1).collect();
    letters.sort_unstable();
    letters
}

impl Net {
    /// Summed along all axes that are not kept.
    fn summed(&mut self, x: Term, kept: &[char]) -> Outcome<Term> {
        let gone = |c: &char| !kept.contains(c);
        let axes: Vec<usize> =
            (x.letters.iter().enumerate()).filter(|(_, c)| gone(c)).map(|(i, _)| i).collect();
        let sums = self.reduce("reduce_sum", x.flow, &axes)?;
        let value = self.without(sums, &axes, false)?;
        Ok(Term {
            flow: self.flow(&value)?,
            letters: x.letters.into_iter().filter(|c| kept.contains(c)).collect(),
        })
    }

    /// With axes in the order of these letters, which are those of the value.
    fn arranged(&mut self, x: Term, to: &[char]) -> Outcome<Flow> {
        let perms: Vec<usize> = to.iter().filter_map(|c| x.letters.iter().position(|l| l == c)).collect();
        let value = self.transpose(&x.flow.into(), &perms)?;
        self.flow(&value)
    }

    /// A product summed along what both operands have and the result has not.
    fn contracted(&mut self, a: Term, b: Term, to: &[char]) -> Outcome<Term> {
        let kept = |x: &Term, other: &Term| -> Vec<char> {
            x.letters.iter().copied().filter(|c| to.contains(c) || other.letters.contains(c)).collect()
        };
        let (of_a, of_b) = (kept(&a, &b), kept(&b, &a));
        let (a, b) = (self.summed(a, &of_a)?, self.summed(b, &of_b)?);
        let part = |x: &Term, in_other: bool, other: &Term, in_result: bool| -> Vec<char> {
            let fits = |c: &char| other.letters.contains(c) == in_other && to.contains(c) == in_result;
            x.letters.iter().copied().filter(fits).collect()
        };
        let (batch, inner) = (part(&a, true, &b, true), part(&a, true, &b, false));
        let (rows, columns) = (part(&a, false, &b, true), part(&b, false, &a, true));
        let extents = |net: &Net, x: &Term, letters: &[char]| -> Vec<usize> {
            let shape = net.shape(x.flow);
            let place =
                |c: &char| x.letters.iter().position(|l| l == c).and_then(|axis| shape.get(axis).copied());
            letters.iter().filter_map(place).collect()
        };
        let [outer, h, w, k] = [(&a, &batch), (&a, &rows), (&b, &columns), (&a, &inner)]
            .map(|(x, letters)| extents(self, x, letters));
        let others = [&batch, &inner].map(|letters| extents(self, &b, letters));
        if others != [outer.clone(), k.clone()] {
            return invalid(format!("{:?} times {:?}", self.shape(a.flow), self.shape(b.flow)));
        }
        let size = |list: &[usize]| list.iter().product::<usize>();
        let left = self.arranged(a, &[&batch[..], &rows, &inner].concat())?;
        let right = self.arranged(b, &[&batch[..], &inner, &columns].concat())?;
        // Without common axes the second operand is a matrix, whose product is a convolution if it is constant.
        let common = if batch.is_empty() { vec![] } else { vec![size(&outer)] };
        let mut matrix = |x: Flow, extents: [usize; 2]| -> Outcome<Flow> {
            let value = self.reshape(&x.into(), &[&common[..], &extents].concat())?;
            self.flow(&value)
        };
        let operands = [matrix(left, [size(&h), size(&k)])?, matrix(right, [size(&k), size(&w)])?];
        let product = self.product(operands, [0, 0])?;
        let value = self.reshape(&product.into(), &[outer, h, w].concat())?;
        Ok(Term { flow: self.flow(&value)?, letters: [batch, rows, columns].concat() })
    }
}
