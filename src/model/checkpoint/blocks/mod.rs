//! The forward of each block class, in TorchScript. One function each, in the file of the package that has the class; a new
//! class is one more line in that file's `find`.

mod pytorch;
mod yolov5;

use super::view::ModuleView;

/// Writes the body of a module's forward, which takes what [`ModuleView::inputs`] names; empty for a container that is
/// never called itself. The error names what the module lacks.
pub(super) type Forward = fn(&ModuleView) -> Result<String, String>;

/// The forward of the class `name` of the Python module `module`; `None` if it is no block that is known.
pub(super) fn find(module: &str, name: &str) -> Option<Forward> {
    // The package on PyPI has the same classes one level deeper.
    let module = module.strip_prefix("yolov5.").unwrap_or(module);
    match module.split('.').next().unwrap_or_default() {
        "torch" => pytorch::find(name),
        package @ ("models" | "utils") => yolov5::find(package, name),
        _ => None,
    }
}
