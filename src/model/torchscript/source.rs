//! The sources in a TorchScript file, as libtorch's parser and compiler will meet them.
//!
//! Both recurse: into brackets, chains of operators, blocks, and from class to class. And they run what stands behind the `=`
//! of an argument or of a class's constant. So depth has a bound, and there only literals may stand.

use std::collections::{BTreeMap, HashMap};

use crate::limits::Limits;

/// Looks through all sources, by module: `__torch__.models.yolo`. The error says what is refused.
pub(super) fn check(sources: &BTreeMap<String, String>) -> Result<(), String> {
    let mut definitions = Definitions::default();
    for (module, text) in sources {
        let mut reader = Reader::new(module, text);
        reader.run(&mut definitions).map_err(|problem| format!("{problem} in code/{}.py", module.replace('.', "/")))?;
    }
    let depth = definitions.depth();
    if depth > Limits::DEFINITION_DEPTH {
        let most = Limits::DEFINITION_DEPTH;
        return Err(format!("has code whose classes use each other {depth} deep; at most {most} is run"));
    }
    Ok(())
}

/// Classes and functions, and which others each of them names.
#[derive(Default)]
struct Definitions {
    numbers: HashMap<String, usize>,
    uses: Vec<Vec<String>>,
}

impl Definitions {
    fn add(&mut self, name: String) -> Result<usize, String> {
        let number = self.uses.len();
        if number == Limits::DEFINITIONS {
            return Err(format!("has code of more than {number} classes and functions"));
        }
        self.numbers.insert(name, number);
        self.uses.push(Vec::new());
        Ok(number)
    }

    /// The definition that a dotted name means; behind it, the name may lead further.
    fn find(&self, mut name: &str) -> Option<usize> {
        loop {
            if let Some(&number) = self.numbers.get(name) {
                return Some(number);
            }
            name = name.rsplit_once('.')?.0;
        }
    }

    /// How many definitions the longest way from one to the next has. Without recursion, as the answer may be long.
    fn depth(&self) -> usize {
        let uses: Vec<Vec<usize>> =
            self.uses.iter().map(|names| names.iter().filter_map(|name| self.find(name)).collect()).collect();
        // 0: not seen yet.
        let mut depths = vec![0; uses.len()];
        let mut is_open = vec![false; uses.len()];
        for start in 0..uses.len() {
            let mut way = vec![(start, 0)];
            while let Some((number, next)) = way.pop() {
                if next == 0 && depths[number] > 0 {
                    continue;
                }
                is_open[number] = true;
                match uses[number].get(next) {
                    Some(&other) => {
                        way.push((number, next + 1));
                        // A class names itself, and classes may name each other: libtorch follows neither twice.
                        if !is_open[other] && depths[other] == 0 {
                            way.push((other, 0));
                        }
                    }
                    None => {
                        is_open[number] = false;
                        depths[number] = 1 + uses[number].iter().map(|&other| depths[other]).max().unwrap_or(0);
                    }
                }
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'a> {
    Name(&'a str),
    Text,
    Number,
    Sign(u8),
    /// The end of a statement's line.
    End,
}

/// What the statement is that is being read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Statement {
    /// `def`, whose arguments may have defaults.
    Function,
    /// In the body of a class, outside its methods.
    ClassBody,
    Other,
}

struct Reader<'a> {
    module: &'a str,
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    /// For each open bracket, and the statement itself, how many operators follow each other there.
    chains: Vec<usize>,
    /// Columns at which the open blocks begin.
    blocks: Vec<usize>,
    /// Where the body of the open class begins, once it does.
    class: Option<ClassBody>,
}

#[derive(Clone, Copy)]
enum ClassBody {
    Expected,
    At(usize),
}

impl<'a> Reader<'a> {
    fn new(module: &'a str, text: &'a str) -> Self {
        Self { module, bytes: text.as_bytes(), text, at: 0, chains: vec![0], blocks: vec![0], class: None }
    }

    fn run(&mut self, definitions: &mut Definitions) -> Result<(), String> {
        let mut current = None;
        while let Some(column) = self.next_line() {
            self.enter(column)?;
            let tokens = self.statement()?;
            if let [Token::Name(keyword @ ("class" | "def")), Token::Name(name), ..] = tokens.as_slice()
                && column == 0
            {
                current = Some(definitions.add(format!("{}.{name}", self.module))?);
                self.class = (*keyword == "class").then_some(ClassBody::Expected);
            }
            let statement = match (&self.class, tokens.first()) {
                (_, Some(Token::Name("def"))) => Statement::Function,
                (Some(ClassBody::At(body)), _) if *body == column => Statement::ClassBody,
                _ => Statement::Other,
            };
            check_names(&tokens)?;
            check_literals(&tokens, statement)?;
            if let Some(current) = current {
                definitions.uses[current].extend(references(&tokens));
            }
        }
        Ok(())
    }

    /// Skips blank lines; the column at which the next statement begins.
    fn next_line(&mut self) -> Option<usize> {
        loop {
            let rest = &self.bytes[self.at..];
            let column = rest.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
            match rest.get(column)? {
                b'\n' | b'\r' => self.at += column + 1,
                b'#' => self.skip_comment(),
                _ => {
                    self.at += column;
                    return Some(column);
                }
            }
        }
    }

    fn enter(&mut self, column: usize) -> Result<(), String> {
        while self.blocks.last().is_some_and(|&open| open > column) {
            self.blocks.pop();
        }
        if self.blocks.last().is_none_or(|&open| open < column) {
            self.blocks.push(column);
        }
        if self.blocks.len() > Limits::BLOCK_DEPTH {
            return Err(format!("has blocks more than {} deep", Limits::BLOCK_DEPTH));
        }
        match self.class {
            Some(ClassBody::Expected) if column > 0 => self.class = Some(ClassBody::At(column)),
            Some(_) if column == 0 => self.class = None,
            _ => {}
        }
        Ok(())
    }

    /// All tokens up to the end of the line, or, within brackets, up to that behind them.
    fn statement(&mut self) -> Result<Vec<Token<'a>>, String> {
        self.chains.clear();
        self.chains.push(0);
        let mut depth = 0usize;
        let mut tokens = Vec::new();
        loop {
            let token = self.token()?;
            if token == Token::End {
                return Ok(tokens);
            }
            if tokens.len() == Limits::STATEMENT_TOKENS {
                return Err(format!("has a statement of more than {} words", Limits::STATEMENT_TOKENS));
            }
            let before = tokens.last().copied();
            tokens.push(token);
            depth = self.follow(token, before, depth)?;
        }
    }

    /// How deep the expression is that ends with `token`, at most: brackets, and operators in a row.
    fn follow(&mut self, token: Token, before: Option<Token>, depth: usize) -> Result<usize, String> {
        let Some(chain) = self.chains.last_mut() else { return Err("has a bracket too many".into()) };
        let is_comparison = matches!(before, Some(Token::Sign(b'=' | b'!' | b'<' | b'>')));
        let depth = match token {
            Token::Sign(b'(' | b'[' | b'{') => {
                *chain += 1;
                self.chains.push(0);
                depth + 1
            }
            Token::Sign(b')' | b']' | b'}') => {
                let inside = *chain;
                self.chains.pop();
                depth.saturating_sub(inside)
            }
            Token::Sign(b',' | b':' | b';') => {
                let inside = std::mem::take(chain);
                depth - inside
            }
            Token::Sign(b'=') if !is_comparison && self.bytes.get(self.at) != Some(&b'=') => {
                let inside = std::mem::take(chain);
                depth - inside
            }
            Token::Sign(_) | Token::Name("not" | "and" | "or" | "in" | "is" | "if" | "else" | "elif" | "lambda") => {
                *chain += 1;
                depth + 1
            }
            _ => depth,
        };
        if depth > Limits::EXPRESSION_DEPTH {
            return Err(format!("has an expression more than {} deep", Limits::EXPRESSION_DEPTH));
        }
        Ok(depth)
    }

    fn token(&mut self) -> Result<Token<'a>, String> {
        loop {
            let Some(&byte) = self.bytes.get(self.at) else { return Ok(Token::End) };
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    if self.chains.len() <= 1 {
                        return Ok(Token::End);
                    }
                }
                b'#' => self.skip_comment(),
                b'"' | b'\'' => return self.string(byte),
                b'0'..=b'9' => {
                    self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
                    return Ok(Token::Number);
                }
                _ if is_name(byte) => {
                    let start = self.at;
                    self.skip(is_name);
                    return Ok(Token::Name(&self.text[start..self.at]));
                }
                _ => {
                    self.at += 1;
                    return Ok(Token::Sign(byte));
                }
            }
        }
    }

    fn string(&mut self, quote: u8) -> Result<Token<'a>, String> {
        let triple = [quote; 3];
        let end: &[u8] = if self.bytes[self.at..].starts_with(&triple) { &triple } else { &triple[..1] };
        self.at += end.len();
        loop {
            match self.bytes.get(self.at) {
                None => return Err("has a text without end".into()),
                Some(b'\\') => self.at += 2,
                Some(b'\n') if end.len() == 1 => return Err("has a text without end".into()),
                Some(_) if self.bytes[self.at..].starts_with(end) => {
                    self.at += end.len();
                    return Ok(Token::Text);
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn skip_comment(&mut self) {
        self.skip(|byte| byte != b'\n');
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) {
        self.at += self.bytes[self.at..].iter().take_while(|&&byte| is_part(byte)).count();
    }
}

/// Beyond ASCII too, so that what is no name for libtorch is still one word here.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Names that stand for code which runs on loading, or for classes that are not the file's own.
fn check_names(tokens: &[Token]) -> Result<(), String> {
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Name("__setstate__") => {
                return Err("has __setstate__, code that runs when the file is loaded,".into());
            }
            Token::Name("classes") if matches!(tokens[..index], [.., Token::Name("torch"), Token::Sign(b'.')]) => {
                return Err("uses torch.classes, of quantized networks or mobile exports,".into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is set where libtorch runs it on loading must be a literal.
fn check_literals(tokens: &[Token], statement: Statement) -> Result<(), String> {
    // Only there a type stands behind the sign.
    if statement == Statement::Other || tokens.first() == Some(&Token::Name("__annotations__")) {
        return Ok(());
    }
    let at = if statement == Statement::Function { 1 } else { 0 };
    let (mut depth, mut is_value) = (0usize, false);
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| tokens[before]);
        match token {
            Token::Sign(b'=') if depth == at => is_value = true,
            Token::Sign(b',') if depth == at && statement == Statement::Function => is_value = false,
            Token::Sign(b'(' | b'[' | b'{') => {
                let is_call = !matches!(before, Some(Token::Sign(b'=' | b'(' | b'[' | b'{' | b',' | b':')));
                let is_empty_list = before == Some(Token::Name("annotate"));
                if is_value && is_call && !is_empty_list && !is_type(before) {
                    return Err("computes a default or a constant when it is loaded,".into());
                }
                depth += 1;
            }
            Token::Sign(b')' | b']' | b'}') => {
                depth = depth.saturating_sub(1);
                is_value &= depth >= at;
            }
            Token::Name(name) if is_value && !LITERALS.contains(name) && !is_type(Some(*token)) => {
                return Err(format!("sets a default or a constant to {name}, expected a literal,"));
            }
            Token::Sign(b'.') if is_value => {
                return Err("computes a default or a constant when it is loaded,".into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Words that mean a value by themselves; `annotate(List[int], [])` is how an empty list is written.
const LITERALS: [&str; 6] = ["True", "False", "None", "inf", "nan", "annotate"];

fn is_type(token: Option<Token>) -> bool {
    const TYPES: [&str; 10] =
        ["List", "Optional", "Dict", "Tuple", "Tensor", "NoneType", "int", "float", "bool", "str"];
    matches!(token, Some(Token::Name(name)) if TYPES.contains(&name))
}

/// Dotted names of definitions in the file: `__torch__.models.common.Conv`.
fn references(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some(start) = rest.iter().position(|token| *token == Token::Name("__torch__")) {
        let mut name = "__torch__".to_owned();
        rest = &rest[start + 1..];
        while let [Token::Sign(b'.'), Token::Name(part), behind @ ..] = rest {
            name = name + "." + part;
            rest = behind;
        }
        found.push(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(text: &str) -> Result<(), String> {
        check(&BTreeMap::from([("__torch__.m".to_owned(), text.to_owned())]))
    }

    /// A class with this line in its method.
    fn with(line: &str) -> String {
        format!(
            "class Net(Module):\n  training : bool\n  def forward(self: __torch__.m.Net,\n    x: Tensor) -> Tensor:\n    {line}\n    return x\n"
        )
    }

    #[test]
    fn what_exporters_write_is_fine() {
        let text = "class Conv(Module):\n  __parameters__ = [\"weight\", ]\n  stride : Final[Tuple[int, int]] = (2, -2)\n  \
                    eps : Final[float] = 0.001\n  __annotations__[\"0\"] = __torch__.a.Conv\n  \
                    def forward(self: __torch__.m.Conv,\n    x: Tensor,\n    size: List[int]=annotate(List[int], [])) -> Tensor:\n    \
                    _0 = torch.conv2d(x, self.weight, None, [2, 2])\n    if True:\n      _1 = -_0\n    else:\n      pass\n    \
                    return torch.cat([_0, x], 1)\n\
                    def silu(input: Tensor,\n    inplace: bool=False,\n    scale: Optional[List[float]]=None) -> Tensor:\n  return torch.silu(input)\n";
        assert_eq!(check_one(text), Ok(()));
        assert_eq!(check_one(&with(&format!("y = [{}]", "x.a + 1, ".repeat(2000)))), Ok(()), "long is not deep");
        assert_eq!(check_one(&with("y = \"((((\" # ((((")), Ok(()));
    }

    #[test]
    fn depth_of_every_kind_has_a_bound() {
        let n = 5000;
        for line in [
            format!("z = {}1{}", "(".repeat(n), ")".repeat(n)),
            format!("z = {}1", "-".repeat(n)),
            format!("z = {}1", "not ".repeat(n)),
            format!("z = x{}", ".T".repeat(n)),
            format!("z = x{}", "[0]".repeat(n)),
            format!("z = x{}", "()".repeat(n)),
            format!("z = 1{}", " + 1".repeat(n)),
            format!("z = 1{}", " == 1".repeat(n)),
            format!("z = {}1{}", "[[(".repeat(n / 3), ")]]".repeat(n / 3)),
            format!("z = {}x", "1 if x else ".repeat(n)),
        ] {
            assert!(check_one(&with(&line)).unwrap_err().contains("deep"), "{}", &line[..20]);
        }
        let blocks: String = (2..400).map(|depth| format!("{}if x:\n", " ".repeat(2 * depth))).collect();
        assert!(check_one(&with("pass").replace("    return", &(blocks + "    return"))).is_err());
    }

    #[test]
    fn classes_that_lead_from_one_to_the_next_have_a_bound() {
        let chain = |n: usize| {
            let class =
                |k: usize| format!("class C{k}(Module):\n  m : __torch__.m.C{}\n  n : __torch__.m.C{k}\n", k + 1);
            (0..n).map(class).collect::<String>()
        };
        assert_eq!(check_one(&chain(30)), Ok(()));
        assert!(check_one(&chain(100_000.min(Limits::DEFINITIONS))).unwrap_err().contains("deep"));
        let circle = "class A(Module):\n  m : __torch__.m.B\nclass B(Module):\n  m : __torch__.m.A\n";
        assert_eq!(check_one(circle), Ok(()));
    }

    #[test]
    fn code_that_runs_on_loading_is_refused() {
        for text in [
            "class A(Module):\n  def __setstate__(self, x: int) -> NoneType:\n    pass\n",
            "class A(Module):\n  c : Final[Tensor] = torch.rand([9])\n",
            "class A(Module):\n  c = (torch.save)\n",
            "class A(NamedTuple):\n  c : int = f()\n",
            "class A(Module):\n  c : __torch__.torch.classes.xnnpack.Conv2dOpContext\n",
            "class A(Module):\n  def f(self, x: Tensor=ops.aten.save(1)) -> int:\n    return 1\n",
            "def f(x: Tensor=torch.from_file(\"a\")) -> int:\n  return 1\n",
            "def f(x: int=[save][0](1)) -> int:\n  return 1\n",
        ] {
            assert!(check_one(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_damaged_source_is_an_error() {
        for text in ["def f(", "x = \"", ")", "]]]", "class", "\\", "\"\"\"a", "é = 'ü"] {
            // Whatever it says: it ends.
            check_one(text).ok();
        }
    }
}
