import Checkpoints
import Configuration
import Files
import Foundation
import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@Suite("Networks that say themselves what they are")
struct PretrainedTests {
  @Test("run without a configuration, and come in with the one that was used")
  func torchvision() throws {
    let run = try Run.finished()
    let photo = "\(run.folder)/images/0.png"
    let folder = try TemporaryFolder()
    let weights = try ExchangeTests.torchvisionWeights(folder)
    let direct = try Command.run("predict", weights, photo, "--output", "\(folder.path)/direct")
    #expect(direct.status == 0, "\(direct)")
    #expect(
      direct.errors.contains("note: network: torchvision's lraspp_mobilenet_v3_large, 4 classes"))
    #expect(direct.errors.contains("note: assumed: dilation, rates and corners are torchvision's"))

    let imported = try Command.run("import", weights, "--output", "\(folder.path)/run")
    #expect(imported.status == 0 && imported.output.contains("everything loads"), "\(imported)")
    #expect(imported.output.contains("wrote \(folder.path)/run/config.yaml"))
    let again = try Command.run(
      "predict", "\(folder.path)/run", photo, "--output", "\(folder.path)/again")
    #expect(again.status == 0, "\(again)")
    let files = ["direct", "again"].map {
      FileManager.default.contents(atPath: "\(folder.path)/\($0)/0_labels.png")
    }
    #expect(files[0] != nil && files[0] == files[1])
    let configured = try Command.run(
      "import", weights, "--model", "\(folder.path)/run/config.yaml", "--dry-run")
    #expect(configured.status == 0 && configured.output.contains("everything loads"))
  }

  @Test("are named beside the list of their tensors, and a configuration that is there stays")
  func listing() throws {
    let folder = try TemporaryFolder()
    let weights = try ExchangeTests.torchvisionWeights(folder)
    let listed = try Command.run("import", weights, "--dry-run")
    #expect(listed.status == 0, "\(listed)")
    #expect(listed.output.contains("network: torchvision's lraspp_mobilenet_v3_large"))
    let own = URL(fileURLWithPath: "\(folder.path)/mine.yaml")
    try Data("mine: true".utf8).write(to: own)
    let imported = try Command.run(
      "import", weights, "--output", "\(folder.path)/mine.safetensors")
    #expect(imported.status == 0, "\(imported)")
    #expect(try String(contentsOf: own, encoding: .utf8) == "mine: true")
  }

  @Test("are refused where nothing says what they are")
  func unknown() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/some.safetensors"
    try WeightFile.write([("a.weight", Tensor(filledWith: 1, [2, 2]))], to: file)
    let result = try Command.run("import", file, "--output", "\(folder.path)/run")
    #expect(result.status == 1 && result.errors.contains("nothing in it says what network it is"))
    #expect(try Command.run("import", file, "--dry-run").status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }

  /// A folder as segmentation_models.pytorch writes it, with drawn weights.
  private func smpFolder(
    _ folder: TemporaryFolder, _ configuration: String, name: String = "smp"
  ) throws -> String {
    let path = "\(folder.path)/\(name)"
    let json = try #require(JSON(Data(configuration.utf8)))
    let description = try SMPReader.describe(json, file: path)
    let count = try #require(json["classes"]?.int)
    let section = try Section(
      yaml: description.yaml, named: path, overrides: ["model.classes=\(count)"])
    Engine.seed(5)
    let model = try ModelBuilder.build(section.section("model"))
    let names = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "smp" })
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try WeightFile.write(names.state(of: model), to: "\(path)/model.safetensors")
    try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(path)/config.json"))
    return path
  }

  private static let unet = """
    {"_model_class": "Unet", "encoder_name": "resnet18", "encoder_depth": 3, "encoder_weights": null,
     "decoder_channels": [16, 8, 8], "decoder_use_norm": "batchnorm", "decoder_attention_type": null,
     "decoder_interpolation": "nearest", "in_channels": 3, "classes": 3, "activation": null,
     "aux_params": null}
    """

  @Test("of segmentation_models.pytorch come in from their folder alone, and go out as they came")
  func smp() throws {
    let run = try Run.finished()
    let photo = "\(run.folder)/images/0.png"
    let folder = try TemporaryFolder()
    let original = try smpFolder(folder, Self.unet)
    let direct = try Command.run("predict", original, photo, "--output", "\(folder.path)/direct")
    #expect(direct.status == 0, "\(direct)")
    #expect(direct.errors.contains("network: segmentation_models.pytorch's Unet on resnet18"))
    #expect(direct.errors.contains("assumed: images are normalized by ImageNet's"))
    let imported = try Command.run("import", original, "--output", "\(folder.path)/run")
    #expect(imported.status == 0 && imported.output.contains("names: smp"), "\(imported)")

    let back = "\(folder.path)/back"
    let exported = try Command.run(
      "export", "\(folder.path)/run", "--as", "smp", "--output", back)
    #expect(exported.status == 0, "\(exported)")
    let (old, new) = try (WeightFile.open(original), WeightFile.open(back))
    #expect(Set(old.entries.map(\.name)) == Set(new.entries.map(\.name)))
    for entry in old.entries {
      #expect(try old.sum(entry) == new.entry(entry.name).map { try new.sum($0) }, "\(entry.name)")
    }
    func configuration(_ folder: String) throws -> String {
      let text = try #require(FileManager.default.contents(atPath: "\(folder)/config.json"))
      return try #require(JSON(text)).text
    }
    #expect(try configuration(original) == configuration(back))
    let again = try Command.run("predict", back, photo, "--output", "\(folder.path)/again")
    #expect(again.status == 0, "\(again)")
    let files = ["direct", "again"].map {
      FileManager.default.contents(atPath: "\(folder.path)/\($0)/0_labels.png")
    }
    #expect(files[0] != nil && files[0] == files[1])
  }

  @Test(
    "of segmentation_models.pytorch come in without a configuration where names and shapes tell it",
    arguments: [
      (
        #""_model_class": "Unet", "encoder_name": "vgg11_bn", "decoder_channels": [8, 8, 8, 4, 4]"#,
        "numbers"
      ),
      (
        #""_model_class": "Unet", "encoder_name": "resnet18", "encoder_depth": 3, "in_channels": 4, "decoder_channels": [8, 8, 4]"#,
        "decoder_interpolation"
      ),
      (
        #""_model_class": "UnetPlusPlus", "encoder_name": "tu-resnet18", "decoder_channels": [8, 8, 8, 4, 4]"#,
        "numbers"
      ),
      (
        #""_model_class": "FPN", "encoder_name": "efficientnet-b0", "decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32, "decoder_merge_policy": "cat""#,
        "numbers"
      ),
      (
        #""_model_class": "DeepLabV3Plus", "encoder_name": "tu-efficientnet_b0", "decoder_channels": 8"#,
        "rates 12, 24, 36"
      ),
      (
        #""_model_class": "DeepLabV3", "encoder_name": "resnet18", "decoder_channels": 8"#,
        "decoder_atrous_rates"
      ),
      (
        #""_model_class": "PSPNet", "encoder_name": "mobilenet_v2", "psp_out_channels": 16"#,
        "numbers"
      ),
      (
        #""_model_class": "PSPNet", "encoder_name": "efficientnet-b0", "psp_out_channels": 16"#,
        "numbers"
      ),
      (
        #""_model_class": "PAN", "encoder_name": "resnet18", "decoder_channels": 8"#,
        "output stride 16"
      ),
      (
        #""_model_class": "UPerNet", "encoder_name": "densenet121", "decoder_channels": 8"#,
        "numbers"
      ),
      (
        #""_model_class": "Segformer", "encoder_name": "mit_b0", "decoder_segmentation_channels": 8"#,
        "numbers"
      ),
      (#""_model_class": "Linknet", "encoder_name": "tu-xception41""#, "numbers"),
      (#""_model_class": "Linknet", "encoder_name": "xception""#, "numbers"),
      (#""_model_class": "Linknet", "encoder_name": "tu-regnetx_004_tv""#, "numbers"),
      (#""_model_class": "Linknet", "encoder_name": "timm-efficientnet-b0""#, "numbers"),
      (#""_model_class": "Linknet", "encoder_name": "tu-resnet18d""#, "numbers"),
      (#""_model_class": "Linknet", "encoder_name": "tu-resnext50d_32x4d""#, "numbers"),
      (
        #""_model_class": "PSPNet", "encoder_name": "tu-regnety_004", "encoder_depth": 3"#,
        "numbers"
      ),
    ])
  func smpShapes(_ arguments: String, _ assumed: String) throws {
    let folder = try TemporaryFolder()
    let json = try #require(
      JSON(Data("{\(arguments), \"classes\": 3, \"encoder_weights\": null}".utf8)))
    let description = try SMPReader.describe(json, file: "test")
    let model = try ModelBuilder.build(
      Section(yaml: description.yaml, named: "test").section("model"))
    let encoder = json["encoder_name"]?.string ?? ""
    let isTimm = encoder.hasPrefix("tu-"), isOfTimm = encoder.hasPrefix("timm-efficientnet")
    let convention = try #require(
      NamingConvention.conventions(of: model).first { convention in
        func has(_ prefix: String) -> Bool {
          convention.recipes(of: model).values.contains {
            $0.names.contains { $0.hasPrefix(prefix) }
          }
        }
        return convention.name == "smp" && has("encoder.model.") == isTimm
          && has("encoder.conv_stem.") == isOfTimm
      })
    let file = "\(folder.path)/weights.pth"
    try WeightFile.write(
      convention.state(of: model).map { ("model." + $0.name, $0.tensor) }, to: file, as: .pytorch)
    let network = try #require(try PretrainedNetwork(file))
    #expect(network.description.yaml == description.yaml)
    #expect(network.description.title.contains("by names and shapes"))
    let words = network.description.assumed.joined(separator: "\n")
    #expect(words.contains(assumed), "\(words)")
    let configuration = try network.configuration()
    let built = try configuration.buildModel(pretrained: false)
    #expect(try network.plan(for: built, configuration).isWhole)
  }

  @Test("of segmentation_models.pytorch with an encoder that nobody has here are refused")
  func smpUnknown() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/weights.safetensors"
    func ones(_ shape: [Int]) -> Tensor { Tensor(filledWith: 1, shape) }
    try WeightFile.write(
      [
        ("encoder.conv1.weight", ones([8, 3, 3, 3])),
        ("encoder.layer1.0.conv1.weight", ones([4, 8, 1, 1])),
        ("decoder.blocks.0.conv1.0.weight", ones([8, 8, 3, 3])),
        ("segmentation_head.0.weight", ones([3, 8, 3, 3])),
      ], to: file)
    let result = try Command.run("import", file, "--output", "\(folder.path)/run")
    #expect(
      result.status == 1 && result.errors.contains("by names and shapes of a Unet"), "\(result)")
    #expect(try Command.run("import", file, "--dry-run").status == 0)
  }

  @Test("of one score are of two classes, whose scores differ by it")
  func binary() throws {
    let folder = try TemporaryFolder()
    let text = Self.unet.replacing("\"classes\": 3", with: "\"classes\": 1")
    let path = try smpFolder(folder, text)
    let network = try TrainedNetwork(checkpoint: path)
    #expect(network.classNames == ["background", "foreground"])
    let section = try Section(
      yaml: try #require(network.pretrained).description.yaml, named: "test",
      overrides: ["model.classes=1"])
    let single = try ModelBuilder.build(section.section("model")).train(false)
    try WeightImport(WeightFile.open(path), for: single).load()
    let x = Tensor(uninitialized: [1, 3, 32, 64])
    x.drawNormal()
    try attempt {
      inferenceMode {
        let two = network.model(x)
        let difference = (two.sliced(1, 1, 2) - two.sliced(1, 0, 1)).floats
        #expect(zip(difference, single(x).floats).allSatisfy { abs($0 - $1) < 1e-5 })
      }
    }
  }

  @Test(
    "of segmentation_models.pytorch are refused with the key that nothing here stands for",
    arguments: [
      ("\"resnet18\"", "\"vgg99\"", "encoder_name", "resnet18"),
      ("\"Unet\"", "\"MAnet\"", "_model_class", "UnetPlusPlus"),
      ("[16, 8, 8]", "[16, 8]", "decoder_channels", "3 numbers"),
      ("[16, 8, 8]", "[16, 8, -8]", "decoder_channels", "8192"),
      ("\"encoder_depth\": 3", "\"encoder_depth\": 9999999999999", "encoder_depth", "1 to 5"),
      ("\"nearest\"", "\"area\"", "decoder_interpolation", "bilinear"),
      ("\"batchnorm\"", "\"instancenorm\"", "decoder_use_norm", "batchnorm"),
      (
        "\"decoder_use_norm\": \"batchnorm\"", "\"decoder_use_batchnorm\": false",
        "decoder_use_batchnorm", "true"
      ),
      (
        "\"resnet18\"", "\"tu-efficientnet_b0\"", "encoder_depth",
        "5 with the encoder tu-efficientnet_b0"
      ),
      ("\"resnet18\"", "\"tu-xception41\"", "encoder_depth", "5 with the encoder tu-xception41"),
      ("\"Unet\"", "\"FPN\"", "encoder_depth", "4 or 5 in an FPN"),
      ("\"activation\": null", "\"activation\": \"tanh\"", "activation", "softmax"),
      (
        "\"decoder_attention_type\": null", "\"decoder_attention_type\": 7",
        "decoder_attention_type", "scse"
      ),
      ("\"classes\": 3", "\"classes\": 4", "classifier.classifier", "[4"),
      ("\"encoder_weights\": null", "\"encoder_weights\": ", "config.json", "JSON"),
    ])
  func refusals(_ old: String, _ new: String, _ key: String, _ expected: String) throws {
    let folder = try TemporaryFolder()
    let path = try smpFolder(folder, Self.unet)
    let text = Self.unet.replacing(old, with: new)
    #expect(text != Self.unet)
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/config.json"))
    let result = try Command.run("import", path, "--output", "\(folder.path)/run")
    let said = result.output + result.errors
    #expect(result.status == 1 && said.contains(path), "\(result)")
    #expect(said.contains(key) && said.contains(expected), "\(result)")
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }

  @Test("tell which rule of dilation was taken, and warn where names speak for the other")
  func dilation() throws {
    let folder = try TemporaryFolder()
    let head = "head: {name: deeplabv3, rates: [1, 6, 12, 18], channels: 8}, classes: 2"
    func yaml(_ name: String, _ backbone: String) throws -> String {
      let path = "\(folder.path)/\(name).yaml"
      let text =
        "model: {alignCorners: true, backbone: {name: resnet18, outputStride: 16, stemMap: true"
        + "\(backbone)}, \(head)}"
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      return path
    }
    let at = try yaml("at-once", ", contractDilation: false, dilateBoth: true")
    let keeps = try yaml("keeps", ", dilateBoth: true"), once = try yaml("once", "")
    let model = try ModelBuilder.build(Section(contentsOf: at).section("model"))
    let names = NamingConvention.conventions(of: model).filter { $0.name == "smp" }
    for isTimm in [false, true] {
      // The same shapes under the library's names and under timm's in it.
      let state = try #require(
        names.map { $0.state(of: model) }.first { state in
          state.contains { $0.name.hasPrefix("encoder.model.") } == isTimm
        })
      let file = "\(folder.path)/\(isTimm ? "timm" : "own").safetensors"
      try WeightFile.write(state, to: file)
      for (configuration, isRight) in [(at, !isTimm), (keeps, isTimm)] {
        let plan = try Command.run("import", file, "--model", configuration, "--dry-run")
        #expect(plan.status == 0 && plan.output.contains("everything loads"), "\(plan)")
        let taken = configuration == at ? "has the new rate at once" : "keeps the rate before"
        #expect(plan.output.contains("taken: the first block of a dilated stage \(taken)"))
        let warning = "expected contractDilation: \(isTimm)"
        #expect(plan.output.contains(warning) != isRight, "\(plan)")
      }
      // Of timm's one convolution alone is not dilated, and no other rule is wrong.
      let plan = try Command.run("import", file, "--model", once, "--dry-run")
      #expect(plan.output.contains("both convolutions of a dilated block") == isTimm, "\(plan)")
    }
  }

  @Test(
    "go out as segmentation_models.pytorch's on ConvNeXt with scales of branches as timm lists them"
  )
  func convNeXtOut() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/network.yaml"
    let text = """
      model: {alignCorners: true, backbone: {name: convnext_tiny}, classes: 2,
        head: {name: unet, channels: [8, 8, 8, 8, 8]}}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    let out = "\(folder.path)/out"
    let result = try Command.run("export", file, "--as", "smp", "--output", out)
    #expect(result.status == 0 && result.output.contains("tu-convnext_tiny"), "\(result)")
    let weights = try WeightFile.open("\(out)/model.safetensors")
    #expect(weights.entry("encoder.model.stages_0.blocks.0.gamma")?.shape == [96])
  }

  @Test("go out as torchvision's, or are refused where torchvision would compute otherwise")
  func torchvisionOut() throws {
    let folder = try TemporaryFolder()
    let weights = try ExchangeTests.torchvisionWeights(folder)
    let back = "\(folder.path)/back.pth"
    let exported = try Command.run("export", weights, "--as", "torchvision", "--output", back)
    #expect(exported.status == 0, "\(exported)")
    #expect(exported.output.contains("num_classes=4"))
    let (old, new) = try (WeightFile.open(weights), WeightFile.open(back))
    #expect(old.entries.map(\.name) == new.entries.map(\.name))
    for entry in old.entries {
      #expect(try old.sum(entry) == new.entry(entry.name).map { try new.sum($0) }, "\(entry.name)")
    }

    let other = "\(folder.path)/other.yaml"
    try Data(
      "model: {backbone: {name: mobilenet_v3_large}, head: {name: lraspp}, classes: 4}".utf8
    ).write(to: URL(fileURLWithPath: other))
    try Command.run("export", other, "--as", "torchvision", "--output", back)
      .expectRefusal("which computes something else", "lraspp_mobilenet_v3_large")
    try Command.run("export", other, "--as", "smp", "--output", "\(folder.path)/no")
      .expectRefusal("has no head 'lraspp'")
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/no"))
    for wrong in [
      ["--as", "keras", "--output", back], ["--as", "smp"],
      ["--as", "smp", "--output", back, "--half"],
      ["--as", "smp", "--onnx", "\(folder.path)/x.onnx"],
    ] {
      #expect(try Command(["export", weights] + wrong).wait().status == 64)
    }
  }
}
