# The README's commands. Each does its own set-up, libtorch included.

LIBTORCH_VERSION := 2.13.0

.PHONY: demo test test-engines test-install dependant bench msrv deny fuzz libtorch build wheel archive

# Explains the pictures in images/ with the model in weights/; the results are in outputs/, and report.html shows them all.
demo: libtorch
	cargo run --locked --release --bin yolo-cam -- --model-path weights/yolov5s.torchscript --img-path images/ --output-dir outputs --report json,csv,html --exist-ok

# Tests compare results of several runs to the last bit. On some processors, MKL's sums depend on memory alignment unless this is set.
test test-install test-engines: export MKL_CBWR := AVX2,STRICT

# All checks. One profile for all of them, so that libtorch's bindings are compiled once; the documentation is built as the
# crate's public documentation is, without libtorch. YOLO_CAM_MATERIAL names a folder
# with further material; what needs it is skipped without, and so is what needs ffmpeg or Chromium. The last line counts both.
test: libtorch
	python3 -m unittest discover --quiet --start-directory scripts
	python3 -m unittest discover --quiet --start-directory packaging
	python3 scripts/module_circles.py src
	cargo fmt --check
	cargo clippy --locked --release --all-targets -- -D warnings
	cargo check --locked --release --lib --no-default-features
	LIBTORCH=/nowhere RUSTDOCFLAGS="-D warnings" cargo doc --locked --release --no-deps --lib --no-default-features --features doc-only
	$(MAKE) dependant
	rm -f target/checks
	YOLO_CAM_CHECKS=$(CURDIR)/target/checks cargo test --locked --release
	python3 scripts/test_summary.py target/checks

# The examples for clusters, on real Slurm and Ray with two nodes on this machine, with GNU parallel, and against Kubernetes' schemas.
# Installs them: Debian's packages if this is root, Python's into the user's cache. What cannot be installed is skipped, and the last
# line counts it. YOLO_CAM_BINARY names the program; without it, it is built.
test-engines: $(if $(YOLO_CAM_BINARY),,build)
	python3 tests/engines/run.py

# A program of somebody else, built on the library, from outside of this folder: Cargo does not see .cargo/config.toml there, and libtorch is
# named as the manual says. With our lock file it shares what is compiled already, and needs no network.
dependant: libtorch
	cp Cargo.lock tests/dependant/Cargo.lock
	cd / && env -u LD_LIBRARY_PATH LIBTORCH="$${LIBTORCH:-$(CURDIR)/libtorch}" \
		cargo run --offline --release --manifest-path $(CURDIR)/tests/dependant/Cargo.toml --target-dir $(CURDIR)/target -- \
		$(CURDIR)/weights/yolov5s.torchscript $(CURDIR)/images/dog.jpg

# Speed and memory as ratios of one run, beside their limits.
bench: libtorch
	cargo bench --locked --bench speed --bench explore --bench shards

# Compiles everything with the oldest Rust that Cargo.toml promises. Clippy looks for newer parts of the standard library anyway.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
msrv: libtorch
	rustup toolchain install $(MSRV) --profile minimal
	cargo +$(MSRV) check --locked --all-targets --target-dir target/msrv

# Licences, advisories and sources of the dependencies. Needs `cargo install cargo-deny` and the network.
deny:
	cargo deny check

# Feeds damaged files to what reads them, FUZZ_SECONDS for each target. Needs `cargo install cargo-fuzz`.
FUZZ_SECONDS := 1800
fuzz: libtorch
	python3 scripts/fuzz_seeds.py tests/data target/fuzz/corpus
	for target in pickle archive torchscript picture labels; do \
		OMP_NUM_THREADS=1 LD_LIBRARY_PATH=libtorch/lib cargo fuzz run --sanitizer none --target-dir target/fuzz \
			$$target target/fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=3000 -timeout=20 -max_len=200000 || exit 1; \
	done

build: libtorch
	cargo build --locked --release

# The Python package in target/wheels, for pip. Says which systems it is for.
wheel: build
	python3 packaging/wheel/build.py target/release/yolo-cam target/wheels

# The program with completions, manual pages and licences in target/archives.
archive: build
	python3 packaging/archive.py target/release/yolo-cam target/archives

# Installs the wheel, and torch from the registry, into an empty environment, and compares what it gives with the program. Downloads
# 3 GB into the user's cache once.
test-install: wheel
	python3 packaging/test_install.py target/wheels/yolo_cam-*.whl target/release/yolo-cam

# Links ./libtorch to a copy in the user's cache, which is downloaded once. With LIBTORCH or
# LIBTORCH_USE_PYTORCH set there is nothing to do.
libtorch:
ifeq ($(LIBTORCH)$(LIBTORCH_USE_PYTORCH),)
	python3 scripts/fetch_libtorch.py $(LIBTORCH_VERSION) libtorch
endif
