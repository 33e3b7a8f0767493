//! Lets the program find libtorch, as docs/guide/library.md says.

fn main() {
    let argument = std::env::var("DEP_YOLO_CAM_LINK_ARG").expect("yolo-cam tells how libtorch is linked");
    println!("cargo::rustc-link-arg={argument}");
}
