// swift-tools-version:6.1
import PackageDescription

// A package of its own that depends on Atrous by its version, as yours would:
//
//     .package(url: "https://github.com/OWNER/atrous", from: "0.2.0")
//
// Here the address is that of the checkout, which needs the tag: Examples/check makes a clone that has it.
let atrous = Context.environment["ATROUS"] ?? "file://\(Context.packageDirectory)/.."

/// A program with the parts of Atrous that it takes.
func example(_ name: String) -> Target {
  .executableTarget(name: name, dependencies: [.product(name: "Atrous", package: "atrous")])
}

let package = Package(
  name: "examples",
  platforms: [.macOS(.v15)],
  dependencies: [.package(url: atrous, from: "0.2.0")],
  targets: [
    example("segment"), example("train"), example("own-head"), example("receptive-field"),
    .testTarget(
      name: "ExamplesTests",
      dependencies: [
        "segment", "train", "own-head", "receptive-field",
        .product(name: "Atrous", package: "atrous"),
      ]),
  ])
