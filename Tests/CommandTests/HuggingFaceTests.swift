import Checkpoints
import Configuration
import Files
import Foundation
import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@Suite("Folders of Hugging Face")
struct HuggingFaceTests {
  private static let configuration = """
    {"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"],
     "depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16], "num_attention_heads": [1, 1, 2, 2],
     "mlp_ratios": [2, 2, 2, 2], "decoder_hidden_size": 8,
     "id2label": {"0": "street", "1": "house", "2": "street"}}
    """
  private static let images = """
    {"do_resize": true, "size": {"height": 64, "width": 96}, "image_mean": [0.5, 0.4, 0.3],
     "image_std": [0.2, 0.2, 0.25], "do_reduce_labels": true}
    """

  /// A folder as `save_pretrained` writes it.
  private func write(
    _ folder: String, _ configuration: String = configuration, _ images: String? = images
  ) throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    let network = try HuggingFaceNetwork(Section(yaml: Self.configuration, named: "test"))
    let model = try ModelBuilder.build(Section(yaml: network.model, named: "test"))
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "huggingface" })
    try WeightFile.write(convention.state(of: model), to: "\(folder)/model.safetensors")
    try configuration.write(
      toFile: "\(folder)/config.json", atomically: true, encoding: .utf8)
    try images?.write(
      toFile: "\(folder)/preprocessor_config.json", atomically: true, encoding: .utf8)
  }

  @Test(
    "say how long the shorter side is",
    arguments: [
      (#"{"size": {"shortest_edge": 48}}"#, "shortSide: 48"),
      (#"{"size": 48}"#, "imageSize: 48x48"), (#"{"do_resize": false}"#, "deviation"),
      (#"{"size": {"shortest_edge": 48, "longest_edge": 99}}"#, "deviation"),
    ])
  func shorterSide(_ images: String, _ text: String) throws {
    let folder = try TemporaryFolder()
    try write("\(folder.path)/hub", Self.configuration, images)
    let network = try #require(try PretrainedNetwork("\(folder.path)/hub"))
    #expect(network.description.yaml.contains(text), "\(network.description.yaml)")
    let hasSize = text.contains("ide: ") || text.contains("ize: ")
    #expect(network.description.yaml.contains("evaluate") == hasSize)
  }

  @Test(
    "say by which filter images are resized, and go out with that",
    arguments: [
      (0, "imageResizing: pillow-nearest"), (1, "imageResizing: pillow-lanczos"),
      (2, "imageResizing: torchvision\n"),
      (3, "imageResizing: torchvision-bicubic"), (4, "imageResizing: pillow-box"),
      (5, "imageResizing: pillow-hamming"),
    ])
  func filters(_ number: Int, _ text: String) throws {
    let folder = try TemporaryFolder()
    let images = #"{"size": {"height": 64, "width": 96}, "resample": \#(number)}"#
    try write("\(folder.path)/hub", Self.configuration, images)
    let network = try #require(try PretrainedNetwork("\(folder.path)/hub"))
    let yaml = network.description.yaml
    #expect(yaml.contains(text), "\(yaml)")
    let back = "\(folder.path)/back"
    let result = try Command.run("export", "\(folder.path)/hub", "--as", "hf", "--output", back)
    #expect(result.status == 0, "\(result)")
    let data = try #require(
      FileManager.default.contents(atPath: "\(back)/preprocessor_config.json"))
    #expect(JSON(data)?["resample"]?.int == number)
  }

  @Test("are resized as DPT's processor says, and bicubically where it says nothing")
  func sizesOfDPT() throws {
    let folder = try TemporaryFolder()
    let configuration = """
      {"model_type": "dpt", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
       "intermediate_size": 32, "image_size": 64, "backbone_out_indices": [0, 1, 2, 3],
       "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "num_labels": 3}
      """
    let network = try HuggingFaceNetwork(Section(yaml: configuration, named: "test"))
    let model = try ModelBuilder.build(Section(yaml: network.model, named: "test"))
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "huggingface" })
    let images = Tensor(filledWith: 0, [1, 3, 64, 64])
    let size = #""size": {"height": 300, "width": 300}"#
    let cases = [
      ("{\(size)}", "imageSize: 300x300}", "torchvision-bicubic"),
      (
        #"{\#(size), "ensure_multiple_of": 32, "resample": 2}"#, "imageSize: 288x288}",
        "torchvision"
      ),
      (
        #"{\#(size), "ensure_multiple_of": 32, "keep_aspect_ratio": true}"#,
        "imageSize: 300x300, keepAspectRatio: true, multipleOf: 32}", "torchvision-bicubic"
      ),
      (
        #"{\#(size), "keep_aspect_ratio": true}"#, "imageSize: 300x300, keepAspectRatio: true}",
        "torchvision-bicubic"
      ),
    ]
    for (index, (processor, text, rule)) in cases.enumerated() {
      let hub = "\(folder.path)/\(index)"
      try FileManager.default.createDirectory(atPath: hub, withIntermediateDirectories: true)
      try WeightFile.write(convention.state(of: model), to: "\(hub)/model.safetensors")
      try Data(configuration.utf8).write(to: URL(fileURLWithPath: "\(hub)/config.json"))
      try Data(processor.utf8).write(to: URL(fileURLWithPath: "\(hub)/preprocessor_config.json"))
      let network = try #require(try PretrainedNetwork(hub))
      let yaml = network.description.yaml
      #expect(yaml.contains(text) && yaml.contains("imageResizing: \(rule)\n"), "\(yaml)")
      _ = try network.configuration()
      let back = "\(folder.path)/back\(index)"
      let result = try Command.run("export", hub, "--as", "hf", "--output", back)
      #expect(result.status == 0, "\(result)")
      #expect(try PretrainedNetwork(back)?.description.yaml == yaml)
    }
    // Scores are doubled first, and come to the image's size by themselves.
    #expect(!model.alignCorners)
    let sides = try [16, 8].map { patch -> Int in
      let text = configuration.replacing(
        "\"hidden_size\"", with: "\"patch_size\": \(patch), \"hidden_size\"")
      let network = try HuggingFaceNetwork(Section(yaml: text, named: "test"))
      let other = try ModelBuilder.build(Section(yaml: network.model, named: "test"))
      return other.classifier.scores(other.backbone.features(images), image: images).width
    }
    #expect(sides == [64, 128])
  }

  @Test("have names for each convolution of UPerNet's helper")
  func helper() throws {
    for count in 0...2 {
      let configuration = """
        {"model_type": "upernet", "hidden_size": 8, "num_labels": 3, "auxiliary_channels": 4,
         "auxiliary_num_convs": \(count), "auxiliary_concat_input": \(count == 2),
         "backbone_config": {"model_type": "convnext", "depths": [1, 1, 1, 1],
           "hidden_sizes": [8, 8, 8, 8], "out_features": ["stage1", "stage2", "stage3", "stage4"]}}
        """
      let network = try HuggingFaceNetwork(Section(yaml: configuration, named: "test"))
      let model = try ModelBuilder.build(Section(yaml: network.model, named: "test"))
      let convention = try #require(
        NamingConvention.conventions(of: model).first { $0.name == "huggingface" })
      let names = convention.state(of: model).map(\.name)
      #expect(names.count == model.state.count)
      #expect(names.contains("auxiliary_head.classifier.weight"))
      for index in 0..<2 {
        for part in ["conv.weight", "batch_norm.running_mean"] {
          #expect(names.contains("auxiliary_head.convs.\(index).\(part)") == (index < count))
        }
      }
    }
  }

  @Test("run and come in by themselves, with classes, normalization and the size of images")
  func whole() throws {
    let run = try Run.finished()
    let photo = "\(run.folder)/images/0.png"
    let folder = try TemporaryFolder()
    try write("\(folder.path)/hub")
    let direct = try Command.run(
      "predict", "\(folder.path)/hub", photo, "--output", "\(folder.path)/direct")
    #expect(direct.status == 0, "\(direct)")
    for text in [
      "Hugging Face's segformer, 3 classes", "images are resized to 96×64",
      "normalized by mean [0.5, 0.4, 0.3]", "0 for what is ignored", "eps is 1e-5",
    ] { #expect(direct.errors.contains(text), "\(text) in \(direct)") }

    let imported = try Command.run(
      "import", "\(folder.path)/hub", "--output", "\(folder.path)/run")
    #expect(imported.status == 0 && imported.output.contains("everything loads"), "\(imported)")
    let yaml = try String(contentsOfFile: "\(folder.path)/run/config.yaml", encoding: .utf8)
    for text in ["street", "house", "street 2", "96x64", "0.25", "levels: matrix"] {
      #expect(yaml.contains(text), "\(text) in \(yaml)")
    }
    let again = try Command.run(
      "predict", "\(folder.path)/run", photo, "--output", "\(folder.path)/again")
    #expect(again.status == 0, "\(again)")
    let files = ["direct", "again"].map {
      FileManager.default.contents(atPath: "\(folder.path)/\($0)/0_labels.png")
    }
    #expect(files[0] != nil && files[0] == files[1])
  }

  @Test("are written again with the same tensors, and read as the same network")
  func wayBack() throws {
    let folder = try TemporaryFolder()
    let hub = "\(folder.path)/hub"
    try write(hub)
    let back = "\(folder.path)/back"
    let written = try Command.run("export", hub, "--as", "hf", "--output", back)
    #expect(written.status == 0, "\(written)")
    #expect(written.output.contains("SegformerForSemanticSegmentation"), "\(written)")
    let (a, b) = (
      try WeightFile.open("\(hub)/model.safetensors"),
      try WeightFile.open("\(back)/model.safetensors")
    )
    #expect(Set(a.entries.map(\.name)) == Set(b.entries.map(\.name)))
    for entry in a.entries {
      #expect(try a.tensor(entry.name).floats == b.tensor(entry.name).floats, "\(entry.name)")
      #expect(b.entry(entry.name)?.shape == entry.shape, "\(entry.name)")
    }
    let listed = try Command.run("import", back, "--dry-run")
    #expect(listed.status == 0 && listed.output.contains("resized to 96×64"), "\(listed)")
    #expect(listed.output.contains("mean [0.5, 0.4, 0.3]"), "\(listed)")
  }

  @Test("are refused for networks that the library has not")
  func others() throws {
    let folder = try TemporaryFolder()
    let cases = [
      ("{name: mit_b0}", "{name: segformer, channels: 8}", "levels: matrix"),
      ("{name: mit_b0}", "{name: segformer, channels: 8, levels: matrix}", "eps"),
      ("{name: resnet18}", "{name: fcn}", "expected SegFormer"),
      ("{name: swin_t}", "{name: upernet, channels: 8}", "computes something else"),
    ]
    for (index, (backbone, head, word)) in cases.enumerated() {
      let file = "\(folder.path)/\(index).yaml"
      try "model: {backbone: \(backbone), head: \(head), classes: 3}".write(
        toFile: file, atomically: true, encoding: .utf8)
      let result = try Command.run(
        "export", file, "--as", "hf", "--output", "\(folder.path)/out\(index)")
      #expect(result.status == 1 && result.errors.contains(word), "\(word) in \(result)")
    }
  }

  @Test("say what was assumed where a file is missing, and are refused where one makes no sense")
  func parts() throws {
    let folder = try TemporaryFolder()
    try write("\(folder.path)/bare", Self.configuration, nil)
    let bare = try Command.run("import", "\(folder.path)/bare", "--dry-run")
    #expect(bare.status == 0, "\(bare)")
    #expect(bare.output.contains("assumed: there is no preprocessor_config.json"), "\(bare)")

    let cases = [
      ("type", Self.configuration.replacing("\"segformer\"", with: "\"bert\""), nil, "model_type"),
      (
        "width", Self.configuration.replacing("[8, 8, 16, 16]", with: "[8, 8, 16, 32]"), nil,
        "of another shape"
      ),
      ("std", Self.configuration, "{\"image_std\": [0, 1, 1]}", "image_std"),
      ("size", Self.configuration, "{\"size\": {\"height\": 0, \"width\": 9}}", "'height' is 0"),
      ("text", "{\"model_type\": \"segformer\"", nil, "object of JSON"),
    ]
    for (name, configuration, images, word) in cases {
      try write("\(folder.path)/\(name)", configuration, images)
      let result = try Command.run(
        "import", "\(folder.path)/\(name)", "--output", "\(folder.path)/run-\(name)")
      #expect(result.status == 1, "\(result)")
      #expect((result.output + result.errors).contains(word), "\(word) in \(result)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run-\(name)"))
    }
  }
}
