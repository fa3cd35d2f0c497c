// swift-tools-version:6.1
import PackageDescription

/// The `torch` folder that `Scripts/setup` unpacked, or that of the PyTorch named by `LIBTORCH`.
let libtorch = Context.environment["LIBTORCH"] ?? "\(Context.packageDirectory)/.libtorch"

/// Whether another package depends on this one by its version.
///
/// SwiftPM refuses compiler flags of such a dependency. It takes the libtorch that pkg-config knows, which
/// `Scripts/setup --for-packages` puts there.
let isDependency = Context.packageDirectory.contains("/checkouts/")

/// Folders with the headers of CUDA, for builds against a libtorch with CUDA that record CUDA graphs.
///
/// `ATROUS_CUDA=/usr/local/cuda/include`. With those of NCCL too processes meet over NCCL:
/// `ATROUS_NCCL=/usr/local/cuda/include:/usr/include`.
let cuda = ["ATROUS_NCCL", "ATROUS_CUDA"].filter { Context.environment[$0] != nil }
let cudaFolders = cuda.flatMap { Context.environment[$0, default: ""].split(separator: ":") }
let cudaHeaders: [CXXSetting] =
  cuda.isEmpty
  ? []
  : [.define("ATROUS_CUDA"), .unsafeFlags(cudaFolders.flatMap { ["-isystem", String($0)] })]
    + (cuda.contains("ATROUS_NCCL") ? [.define("ATROUS_NCCL")] : [])
let cudaLibraries: [LinkerSetting] =
  cuda.isEmpty ? [] : [.linkedLibrary("torch_cuda"), .linkedLibrary("c10_cuda")]

let libtorchHeaders: [CXXSetting] =
  [
    .unsafeFlags(["-isystem", "\(libtorch)/include"]), .unsafeFlags(["-O2"]),
    .unsafeFlags(["-isystem", "\(libtorch)/include/torch/csrc/api/include"]),
  ] + cudaHeaders
let libtorchFolder: [LinkerSetting] = [
  .unsafeFlags(["-L\(libtorch)/lib", "-Xlinker", "-rpath", "-Xlinker", "\(libtorch)/lib"])
]

/// Whether the command goes without its service, as `make demo` has it: swift-nio takes a long time to compile.
let withoutServing = Context.environment["ATROUS_WITHOUT_SERVING"] != nil

let package = Package(
  name: "atrous",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "atrous", targets: ["atrous"]),
    .library(
      name: "Atrous",
      targets: [
        "Torch", "Imaging", "Configuration", "Checkpoints", "Segmentation", "Annotations",
        "Datasets", "Evaluation", "Inference", "Training", "Analysis", "Serving", "Weights",
      ]),
    // What other languages call.
    .library(name: "AtrousInterface", type: .dynamic, targets: ["Interface"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
  ],
  targets: [
    // Convolutions: vector code for each instruction set, always optimized.
    .target(
      name: "CAtrous",
      cxxSettings: isDependency ? [] : [.unsafeFlags(["-O3", "-ffp-contract=fast"])]),

    // The engine's door, and what is built on it.
    .target(
      name: "CTorch",
      dependencies: isDependency ? ["CAtrous", "CLibTorch"] : ["CAtrous"],
      cxxSettings: [.headerSearchPath("declarations")] + (isDependency ? [] : libtorchHeaders),
      linkerSettings: [.linkedLibrary("torch_cpu"), .linkedLibrary("c10")]
        + (isDependency ? [] : libtorchFolder + cudaLibraries)),
    .target(name: "Torch", dependencies: ["CTorch"]),

    // Paths of any bytes, the home folder, locks.
    .target(name: "Files"),

    // Pictures, on the system's codecs.
    .systemLibrary(
      name: "CSPNG", pkgConfig: "spng", providers: [.apt(["libspng-dev"]), .brew(["libspng"])]),
    .systemLibrary(
      name: "CTurboJPEG", pkgConfig: "libturbojpeg",
      providers: [.apt(["libturbojpeg0-dev"]), .brew(["jpeg-turbo"])]),
    .systemLibrary(
      name: "CLibJPEG", pkgConfig: "libjpeg",
      providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
    .target(name: "CJPEG", dependencies: ["CLibJPEG"]),
    .systemLibrary(
      name: "CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"]), .brew(["libtiff"])]),
    .systemLibrary(
      name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"]), .brew(["webp"])]),
    .systemLibrary(
      name: "CCairo", pkgConfig: "cairo",
      providers: [.apt(["libcairo2-dev"]), .brew(["cairo"])]),
    .systemLibrary(
      name: "CDeflate", pkgConfig: "libdeflate",
      providers: [.apt(["libdeflate-dev"]), .brew(["libdeflate"])]),
    // Places on earth.
    .systemLibrary(
      name: "CProj", pkgConfig: "proj", providers: [.apt(["libproj-dev"]), .brew(["proj"])]),
    .target(
      name: "Imaging",
      dependencies: [
        "Files", "CSPNG", "CTurboJPEG", "CJPEG", "CTIFF", "CWebP", "CCairo", "CDeflate", "CProj",
      ]),

    // Least squares, for what is fitted to figures.
    .systemLibrary(
      name: "CMinpack", pkgConfig: "cminpack",
      providers: [.apt(["libcminpack-dev"]), .brew(["cminpack"])]),

    .target(name: "Configuration", dependencies: ["Files", "Yams"]),
    .target(name: "Checkpoints", dependencies: ["Torch", "Files", "Configuration", "CDeflate"]),
    // Networks as graphs of operators, and their notations.
    .target(
      name: "Graphs",
      dependencies: ["Torch", "Files", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
      exclude: ["Protos"]),
    .target(name: "Segmentation", dependencies: ["Torch", "Checkpoints", "Configuration"]),
    // Files of annotation tools, their rules for pixels, and outlines of masks.
    .target(name: "Annotations", dependencies: ["Imaging", "Configuration", "Files", "CDeflate"]),
    .target(name: "Datasets", dependencies: ["Annotations", "Imaging", "Configuration"]),
    .target(name: "Evaluation", dependencies: ["Segmentation", "Datasets", "Graphs"]),
    .target(
      name: "TensorBoard",
      dependencies: ["Files", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
      exclude: ["Protos"]),
    .target(name: "Inference", dependencies: ["Evaluation", "Checkpoints", "Graphs"]),
    .target(name: "Training", dependencies: ["Inference", "TensorBoard"]),
    .target(name: "Analysis", dependencies: ["Evaluation", "CMinpack"]),
    .target(
      name: "Weights", dependencies: ["Files"], path: "Weights", exclude: ["README.md"],
      resources: [.copy("camvid.safetensors"), .copy("vessels.safetensors")]),
    .target(name: "Parity", dependencies: ["Training", "Analysis"]),
    // The C interface.
    .target(name: "Interface", dependencies: ["Inference", "Weights"]),
    // The HTTP service and its page.
    .target(
      name: "Serving",
      dependencies: [
        "Inference", "Analysis",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      resources: [
        .embedInCode("Page/index.html"), .embedInCode("Page/page.css"),
        .embedInCode("Page/page.js"),
      ]),
    .executableTarget(
      name: "atrous",
      dependencies: [
        "Inference", "Graphs", "Training", "Analysis", "Parity", "Weights",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ] + (withoutServing ? [] : ["Serving"])),

    // What is timed.
    .executableTarget(
      name: "upsampling-benchmark", dependencies: ["Evaluation", "Torch"],
      path: "Benchmarks/upsampling", exclude: ["README.md"]),
    .executableTarget(
      name: "convolution-benchmark", dependencies: ["Torch", "TestSupport"],
      path: "Benchmarks/convolutions", exclude: ["README.md"]),
    .executableTarget(
      name: "annotations-benchmark", dependencies: ["Annotations", "Imaging"],
      path: "Benchmarks/annotations", exclude: ["README.md", "run.py"]),
    .executableTarget(
      name: "module-benchmark", dependencies: ["Inference", "Evaluation", "Imaging", "Weights"],
      path: "Benchmarks/module", exclude: ["README.md", "run.py"]),
    // What fuzz.py feeds with files.
    .executableTarget(
      name: "image-digest", dependencies: ["Imaging", "CDeflate"], path: "Benchmarks/fuzz",
      exclude: [
        "README.md", "fuzz.py", "files.py", "checkpoints.sh", "annotations.sh", "images.sh",
      ]),

    // What several tests need: folders, tiny pictures, a tiny run.
    .target(name: "TestSupport", dependencies: ["Datasets"], path: "Tests/TestSupport"),
    .testTarget(name: "TorchTests", dependencies: ["Torch", "TestSupport"]),
    .testTarget(name: "FilesTests", dependencies: ["Files", "TestSupport"]),
    .testTarget(
      name: "ImagingTests", dependencies: ["Imaging", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"]),
    .testTarget(
      name: "AnnotationsTests", dependencies: ["Annotations", "Imaging", "Files", "TestSupport"]),
    .testTarget(
      name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "GraphsTests",
      dependencies: [
        "Graphs", "Segmentation", "Configuration", "TestSupport", "Files",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(name: "SegmentationTests", dependencies: ["Segmentation", "Graphs"]),
    .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "TestSupport"]),
    .testTarget(name: "EvaluationTests", dependencies: ["Evaluation", "TestSupport"]),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "Inference", "Evaluation", "Datasets", "Imaging", "Files", "Weights", "TestSupport",
        "Graphs",
        "Segmentation", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "TensorBoardTests",
      dependencies: [
        "TensorBoard", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Training", "Checkpoints", "Configuration", "TestSupport"],
      exclude: ["Fixtures"]),
    .testTarget(name: "AnalysisTests", dependencies: ["Analysis"]),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "Serving", "Weights", "Inference", "Evaluation", "Datasets", "Imaging", "Checkpoints",
        "Torch",
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    .testTarget(
      name: "ParityTests",
      dependencies: [
        "Parity", "Configuration", "Segmentation", "Graphs", "TestSupport", "Inference", "Files",
        "Datasets",
      ],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "atrous", "Files", "Imaging", "Checkpoints", "Datasets", "Evaluation", "Torch", "Training",
        "Weights", "Inference", "Segmentation", "Configuration", "Annotations",
        "TestSupport",
      ]),
  ],
  cxxLanguageStandard: .cxx20
)

if isDependency {
  package.targets.append(.systemLibrary(name: "CLibTorch", pkgConfig: "libtorch"))
}

for target in package.targets
where ![.system].contains(target.type) && !["CTorch", "CAtrous", "CJPEG"].contains(target.name) {
  target.swiftSettings = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
  ]
}

if withoutServing {
  package.targets.first { $0.name == "atrous" }?.swiftSettings?.append(
    .define("ATROUS_WITHOUT_SERVING"))
}

// What Scripts/shipped builds takes nothing from this checkout when it runs, and has the C interface in it.
if Context.environment["ATROUS_SHIPPED"] != nil {
  for target in package.targets {
    switch target.name {
    case "Weights": target.swiftSettings?.append(.define("ATROUS_SHIPPED"))
    case "atrous": target.dependencies.append("Interface")
    default: break
    }
  }
}
