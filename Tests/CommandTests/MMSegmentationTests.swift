import Checkpoints
import Configuration
import Datasets
import Files
import Foundation
import Imaging
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Inference

@Suite("Checkpoints of MMSegmentation")
struct MMSegmentationTests {
  /// A configuration as MMEngine writes it.
  static let text = """
    norm_cfg = dict(requires_grad=True, type='SyncBN')
    data_preprocessor = dict(
        bgr_to_rgb=True, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        type='SegDataPreProcessor')
    model = dict(
        auxiliary_head=dict(
            channels=4, concat_input=False, in_channels=16, in_index=2, norm_cfg=norm_cfg,
            loss_decode=dict(loss_weight=0.4, type='CrossEntropyLoss'), num_classes=3, num_convs=1,
            type='FCNHead'),
        backbone=dict(
            base_channels=4, contract_dilation=True, depth=18, dilations=(1, 1, 2, 4,), norm_cfg=norm_cfg,
            out_indices=(0, 1, 2, 3), stem_channels=4, strides=(1, 2, 1, 1), style='pytorch',
            type='ResNetV1c'),
        data_preprocessor=data_preprocessor,
        decode_head=dict(
            align_corners=False, channels=8, dilations=(1, 12, 24, 36), in_channels=32, in_index=3,
            norm_cfg=norm_cfg, num_classes=3, type='ASPPHead'),
        test_cfg=dict(crop_size=(64, 64), mode='slide', stride=(42, 42)), type='EncoderDecoder')
    test_pipeline = [dict(keep_ratio=True, scale=(128, 64), type='Resize')]
    """

  /// A checkpoint with drawn weights and this under `meta`.
  private func write(_ meta: JSON, to path: String) throws {
    let settings = try #require(try PythonConfiguration.values(Self.text)["model"])
    let own = try MMSegmentationSettings(settings, "model", of: "test", image: 3)
    Engine.seed(11)
    let model = try ModelBuilder.build(Section(yaml: own.model.text, named: "test"))
    let state = NamingConvention.mmsegmentation(model).state(of: model)
    try WeightFile.write(state, meta: meta, to: path)
  }

  private static func meta(_ text: String = text) -> JSON {
    .object([
      "cfg": .string(text), "mmengine_version": "0.10.7",
      "dataset_meta": .object([
        "classes": ["road", "sky", "road"],
        "palette": [[128, 64, 128], [70, 130, 180], [0, 0, 0]],
      ]),
    ])
  }

  @Test("come in from the file alone, with classes, colours and normalization, and go out again")
  func whole() throws {
    let run = try Run.finished()
    let photo = "\(run.folder)/images/0.png"
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/iter_1.pth"
    try write(Self.meta(), to: file)
    let direct = try Command.run("predict", file, photo, "--output", "\(folder.path)/direct")
    #expect(direct.status == 0, "\(direct)")
    for text in [
      "MMSegmentation's ASPPHead on ResNetV1c, 3 classes, by version 0.10.7",
      "windows of 64x64 every 42x42 pixels", "to fit into 128x64",
      "normalized by mean [123.675, 116.28, 103.53]",
    ] { #expect(direct.errors.contains(text), "\(text) in \(direct)") }
    let network = try TrainedNetwork(checkpoint: file)
    #expect(network.classNames == ["road", "sky", "road 2"])
    #expect(network.labelMap?.colors.first.map { [$0.red, $0.green, $0.blue] } == [128, 64, 128])
    #expect(abs(network.encoding.mean[0] - 0.485) < 1e-9)
    #expect(network.model.auxiliary.first?.weight == 0.4)

    let imported = try Command.run("import", file, "--output", "\(folder.path)/run")
    #expect(imported.status == 0 && imported.output.contains("everything loads"), "\(imported)")
    let back = "\(folder.path)/back.pth"
    let exported = try Command.run(
      "export", "\(folder.path)/run", "--as", "mmsegmentation", "--output", back)
    #expect(exported.status == 0, "\(exported)")
    let (old, new) = try (WeightFile.open(file), WeightFile.open(back))
    #expect(old.entries.map(\.name).sorted() == new.entries.map(\.name).sorted())
    for entry in old.entries {
      #expect(try old.sum(entry) == new.entry(entry.name).map { try new.sum($0) }, "\(entry.name)")
    }
    let again = try Command.run("predict", back, photo, "--output", "\(folder.path)/again")
    #expect(again.status == 0, "\(again)")
    let files = ["direct", "again"].map {
      FileManager.default.contents(atPath: "\(folder.path)/\($0)/0_labels.png")
    }
    #expect(files[0] != nil && files[0] == files[1])
    let python = try String(contentsOfFile: "\(folder.path)/back.py", encoding: .utf8)
    #expect(try PythonConfiguration.values(python)["model"]?["type"]?.string == "EncoderDecoder")
  }

  @Test("of versions 0.x have the same under other keys")
  func older() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/iter_1.pth"
    let text = Self.text.replacing("data_preprocessor=data_preprocessor,", with: "")
      .replacing("data_preprocessor = dict(", with: "img_norm_cfg = dict(")
      .replacing("bgr_to_rgb=True", with: "to_rgb=True")
    try write(
      .object([
        "config": .string(text), "mmseg_version": "0.30.0", "CLASSES": ["a", "b", "c"],
        "PALETTE": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
      ]), to: file)
    let network = try TrainedNetwork(checkpoint: file)
    #expect(network.classNames == ["a", "b", "c"])
    #expect(network.labelMap?.colors.last.map { [$0.red, $0.green, $0.blue] } == [7, 8, 9])
    #expect(abs(network.encoding.deviation[2] - 0.225) < 1e-9)
    #expect(network.pretrained?.description.title.contains("by version 0.30.0") == true)
  }

  @Test("of one score become two classes with the threshold's boundary")
  func binary() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/iter_1.pth"
    let text = Self.text.replacing(
      "num_classes=3, type='ASPPHead'",
      with: """
        num_classes=2, out_channels=1, threshold=0.3, type='ASPPHead'
        """
    ).replacing("auxiliary_head=dict(", with: "backup=None, unused=dict(")
    let values = try PythonConfiguration.values(text)
    var settings = try #require(values["model"]?.object)
    settings["unused"] = nil
    let own = try MMSegmentationSettings(.object(settings), "model", of: "test", image: 3)
    let single = try ModelBuilder.build(Section(yaml: own.model.text, named: "test"))
    single.train(false)
    let state = NamingConvention.mmsegmentation(single).state(of: single)
    try WeightFile.write(
      state,
      meta: .object([
        "cfg": .object([
          "model": .object(settings), "data_preprocessor": values["data_preprocessor"] ?? .null,
        ])
      ]), to: file)
    let network = try TrainedNetwork(checkpoint: file)
    #expect(network.model.classes == 2)
    let x = Tensor(uninitialized: [1, 3, 64, 64])
    x.drawNormal()
    try attempt {
      inferenceMode {
        let two = network.model(x)
        let difference = (two.sliced(1, 1, 2) - two.sliced(1, 0, 1)).floats
        // logit(0.3)
        #expect(
          zip(difference, single(x).floats).allSatisfy { abs($0 - $1 - 0.847_298) < 1e-4 })
      }
    }
  }

  @Test("that see blue first do so here, and when they go out again")
  func reversed() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/iter_1.pth"
    try write(Self.meta(Self.text.replacing("bgr_to_rgb=True", with: "bgr_to_rgb=False")), to: file)
    let network = try TrainedNetwork(checkpoint: file)
    #expect(network.bandPlan?.bands == [2, 1, 0])
    #expect(abs(network.encoding.mean[0] - 0.485) < 1e-9)
    let exported = try Command.run(
      "export", file, "--as", "mmsegmentation", "--output", "\(folder.path)/back.pth")
    #expect(exported.status == 0, "\(exported)")
    let python = try String(contentsOfFile: "\(folder.path)/back.py", encoding: .utf8)
    #expect(
      try PythonConfiguration.values(python)["data_preprocessor"]?["bgr_to_rgb"]?.bool == false)
    #expect(try TrainedNetwork(checkpoint: "\(folder.path)/back.pth").bandPlan?.bands == [2, 1, 0])
  }

  @Test("of one score leave their helpers aside, of one or two scores")
  func helpersOfOneScore() throws {
    let folder = try TemporaryFolder()
    for outputs in [1, 2] {
      let file = "\(folder.path)/iter_\(outputs).pth"
      let text = Self.text.replacing(
        "num_classes=3, type='ASPPHead'",
        with: "num_classes=2, out_channels=1, threshold=0.3, type='ASPPHead'"
      ).replacing(
        "num_classes=3, num_convs=1", with: "num_classes=2, out_channels=\(outputs), num_convs=1")
      let whole = Self.text.replacing("num_classes=3", with: "num_classes=1")
      let settings = try #require(try PythonConfiguration.values(whole)["model"])
      let helper = try #require(try PythonConfiguration.values(Self.text)["model"])
      let single = try MMSegmentationSettings(settings, "model", of: "test", image: 3)
      let triple = try MMSegmentationSettings(helper, "model", of: "test", image: 3)
      func state(_ settings: MMSegmentationSettings) throws -> [(name: String, tensor: Tensor)] {
        let model = try ModelBuilder.build(Section(yaml: settings.model.text, named: "test"))
        return NamingConvention.mmsegmentation(model).state(of: model)
      }
      let helpers = try state(triple).filter { $0.name.hasPrefix("auxiliary_head.") }
      #expect(!helpers.isEmpty)
      try WeightFile.write(
        try state(single) + helpers,
        meta: .object([
          "cfg": .string(text),
          "dataset_meta": .object([
            "classes": ["ground", "car"], "palette": [[128, 64, 128], [0, 0, 142]],
          ]),
        ]), to: file)
      let network = try TrainedNetwork(checkpoint: file)
      #expect(network.model.classes == 2 && network.model.auxiliary.isEmpty)
      #expect(network.labelMap?.colors.last.map { [$0.red, $0.green, $0.blue] } == [0, 0, 142])
      let told = network.pretrained?.description.told.joined(separator: "\n") ?? ""
      #expect(told.contains("auxiliary_head: left aside"))
    }
  }

  @Test(
    "that compute something else are refused by the setting's name",
    arguments: [
      ("type='ASPPHead'", "type='OCRHead'", "decode_head.type"),
      ("style='pytorch'", "style='caffe'", "backbone.style"),
      ("style='pytorch'", "plugins=[dict(cfg=dict(type='ContextBlock'))]", "backbone.plugins"),
      ("channels=8,", "channels=8, act_cfg=dict(type='GELU'),", "decode_head.act_cfg"),
      ("style='pytorch'", "act_cfg=dict(type='GELU')", "backbone.act_cfg"),
      ("in_index=3,\n        norm_cfg=norm_cfg", "in_index=3,\n        norm_cfg=None", "norm_cfg"),
      ("std=[58.395, 57.12, 57.375]", "std=[58.395, 0, 57.375]", "data_preprocessor.std"),
      ("depth=18", "depth='18'", "backbone.depth"),
      ("depth=18", "depth=18, num_stages=9", "num_stages"),
      ("in_index=3", "in_index=7", "decode_head.in_index"),
      ("num_classes=3, type='ASPPHead'", "num_classes=-3, type='ASPPHead'", "num_classes"),
      ("dict(requires_grad=True, type='SyncBN')", "dict(num_groups=32, type='GN')", "norm_cfg"),
      ("channels=8,", "channels=open('x'),", "line"), ("model = dict(", "model = dict(((", "line"),
    ])
  func refusals(_ old: String, _ new: String, _ word: String) throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/iter_1.pth"
    #expect(Self.text.contains(old))
    try write(Self.meta(Self.text.replacing(old, with: new)), to: file)
    let result = try Command.run("import", file, "--output", "\(folder.path)/run")
    #expect(result.status == 1 && result.errors.contains(word), "\(result)")
    #expect(result.errors.contains(file))
    // Its tensors are listed all the same.
    #expect(try Command.run("import", file, "--dry-run").status == 0)
  }

  @Test(
    "with a U-Net of other steps are refused",
    arguments: [
      ("type='InterpConv', upsample_cfg=dict(mode='bilinear', scale_factor=2)", true),
      ("type='InterpConv', upsample_cfg=dict(mode='nearest', scale_factor=2)", false),
      ("type='InterpConv', upsample_cfg=dict(align_corners=True)", false),
      ("type='InterpConv', conv_first=True", false), ("type='DeconvModule'", false),
    ])
  func steps(_ step: String, _ isKnown: Bool) throws {
    let text = """
      model = dict(
          backbone=dict(base_channels=4, num_stages=2, type='UNet', upsample_cfg=dict(\(step))),
          decode_head=dict(
              channels=4, in_channels=4, in_index=1, norm_cfg=dict(type='BN'), num_classes=3,
              type='FCNHead'),
          type='EncoderDecoder')
      """
    let settings = try #require(try PythonConfiguration.values(text)["model"])
    do {
      _ = try MMSegmentationSettings(settings, "model", of: "test", image: 3)
      #expect(isKnown)
    } catch let error as PretrainedError {
      #expect(!isKnown && "\(error)".contains("upsample_cfg"), "\(error)")
    }
  }

  @Test("configurations in Python are read for what they say")
  func python() throws {
    let values = try PythonConfiguration.values(
      """
      # A comment
      a = dict(x=1, y=-2.5e-3, **dict(z=(1,), w=()), t=[True, None, False,],)
      b = {'k': a, "l": 'it''s', 3: \"\"\"long
      text\"\"\"}; c = (4)
      d = b
      e = r'C:\\\\n'
      f = 'tab\\t' \\
          'joined'
      g = dict({'a.b': 1, 'c': dict({})}, d=2)
      """)
    #expect(values["g"]?["a.b"]?.int == 1 && values["g"]?["d"]?.int == 2)
    #expect(values["g"]?["c"]?.object?.isEmpty == true)
    #expect(values["a"]?["y"]?.number == -0.0025)
    #expect(values["a"]?["z"]?.ints == [1] && values["a"]?["w"]?.list?.isEmpty == true)
    #expect(values["a"]?["t"]?.list?.count == 3)
    #expect(values["d"]?["k"]?["x"]?.int == 1 && values["b"]?["l"]?.string == "its")
    #expect(values["b"]?["3"]?.string == "long\ntext")
    #expect(values["c"]?.int == 4)
    #expect(values["f"]?.string == "tab\tjoined")
    for text in [
      "a", "a =", "a = b", "a = (1", "a = dict(1)", "a = dict(b=1, {'c': 2})", "a = [1 2]",
      "a = {1}", "a = 'x", "a = 1 + 1",
      "import os", "a = os.system('x')", "a = 1e", "=", "a = " + String(repeating: "[", count: 99),
    ] {
      #expect(throws: PythonConfiguration.Fault.self, "\(text)") {
        try PythonConfiguration.values(text)
      }
    }
  }
}
