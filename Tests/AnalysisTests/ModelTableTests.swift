import Analysis
import Configuration
import Segmentation
import Testing
import Torch

@Suite("Model table")
struct ModelTableTests {
  private func table(
    _ backbone: String, _ stride: Int, _ head: String, classes: Int = 19
  ) throws -> ModelTable {
    var selection = ModelTable.Selection()
    (selection.backbones, selection.outputStrides, selection.heads) = ([backbone], [stride], [head])
    selection.classes = classes
    return try ModelTable(selection)
  }

  @Test("counts parameters and operations as PyTorch does, without running anything")
  func counts() throws {
    // torchvision's DeepLabV3 on ResNet-50 at 1024x512 by PyTorch's FlopCounterMode.
    let row = try #require(try table("resnet50", 8, "deeplabv3", classes: 19).rows.first)
    #expect(row.parameters == 39_638_355)
    #expect(abs(Double(row.flops) - 654.308e9) < 0.001e9)
    // The dilated DenseNet-121, and model #4's head with 20 classes on it.
    let dense = try #require(try table("densenet121", 8, "denseaspp", classes: 20).rows.first)
    #expect(dense.parameters == 9_206_676)
    #expect(abs(Double(dense.flops) - (132.792e9 + 36.679e9)) < 0.002e9)
  }

  @Test("agrees with a network that runs")
  func shapes() throws {
    let yaml = "{backbone: {name: mobilenet_v3_small, outputStride: 16}, head: {name: lraspp}}"
    func summary() throws -> ModelSummary {
      try ModelSummary(
        ModelBuilder.build(Section(yaml: yaml, named: "test"), classes: 5), height: 97, width: 64)
    }
    let (real, counted) = (try summary(), try shapesOnly { try summary() })
    #expect(real.flops == counted.flops)
    #expect(real.logits == counted.logits)
    #expect(real.activationBytes == counted.activationBytes)
    #expect(real.parameters == counted.parameters)
  }

  @Test("has every backbone with every stride, and leaves out what does not go together")
  func everything() throws {
    var selection = ModelTable.Selection()
    selection.heads = ["linear", "lraspp"]
    let table = try ModelTable(selection)
    for (name, entry) in Catalogue.backbones where entry.isComplete {
      let rows = table.rows.filter { $0.backbone == name && $0.head == "linear" }
      #expect(rows.map(\.outputStride) == entry.outputStrides.sorted())
    }
    #expect(table.refusals.contains { $0.backbone == "unet" && $0.head == "lraspp" })
  }

  @Test("has a row for each backbone and each head, which agree with the pairs")
  func parts() throws {
    let parts = try ModelParts()
    #expect(
      Set(parts.backbones.map(\.name))
        == Set(Catalogue.backbones.filter(\.value.isComplete).keys))
    #expect(parts.heads.map(\.name) == Catalogue.heads.keys.sorted())
    let pair = try #require(try table("resnet50", 8, "deeplabv3").rows.first)
    let (backbone, head) = (
      try #require(parts.backbones.first { $0.name == "resnet50" }),
      try #require(parts.heads.first { $0.name == "deeplabv3" })
    )
    #expect(backbone.parameters + head.parameters == pair.parameters)
    #expect(backbone.strides == [4, 8, 16, 32] && backbone.mapChannels == [256, 512, 1024, 2048])
    #expect(parts.heads.first { $0.name == "lraspp" }?.needs?.contains("stride 8") == true)
  }

  @Test("what does not go together is told by head, without counting anything")
  func exclusions() throws {
    var selection = ModelTable.Selection()
    (selection.backbones, selection.counts) = (["unet", "convnext_tiny"], false)
    let table = try ModelTable(selection)
    #expect(table.rows.isEmpty)
    let text = table.exclusions
    #expect(text.contains("lraspp needs an earlier map of output stride 8; it does not go with"))
    #expect(text.contains("unet (stride 1)"))
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
  }

  @Test("refuses by name what was asked for and does not exist or does not go together")
  func refusals() {
    let cases = [
      ("resnet50", 8, "lrasp", "did you mean 'lraspp'"),
      ("resnet55", 8, "fcn", "did you mean 'resnet50'"),
      ("mobilenet_v2", 4, "fcn", "8, 16, 32"), ("unet", 1, "lraspp", "fcn"),
      ("a: ]", 8, "fcn", "a: ]"),
    ]
    for (backbone, stride, head, words) in cases {
      let error = #expect(throws: ConfigurationError.self) {
        try table(backbone, stride, head)
      }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
  }
}
