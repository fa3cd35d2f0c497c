import Segmentation
import Testing
import Torch

@Suite("What weights say nothing of")
struct GeometryTests {
  private func head(_ head: String) throws -> [String] {
    try shapesOnly {
      NetworkGeometry(
        try model("{classes: 3, backbone: {name: resnet18, outputStride: 8}, head: {\(head)}}")
      ).head
    }
  }

  @Test("is said of pyramids branch by branch, the 1×1 one only where there is one")
  func pyramids() throws {
    #expect(
      try head("name: deeplabv3, rates: [1, 12, 24, 36]") == [
        "ASPP: 1×1, 3×3 at 12, 24, 36, pooled"
      ])
    #expect(
      try head("name: deeplabv3, rates: [12, 24, 36]")
        == ["ASPP: 3×3 at 12, 24, 36, pooled (no 1×1 branch)"])
    #expect(
      try head("name: deeplabv3, rates: [1, 6], unitKernel: 3, imagePooling: false")
        == ["ASPP: 3×3 at 1, 3×3 at 6"])
    #expect(
      try head("name: deeplabv3, form: mmsegmentation, separable: true, rate: 2")
        == ["ASPP: pooled, 1×1, separable 3×3 at 2, 4, 6"])
    #expect(
      try head("name: denseaspp, dilations: [3, 6]") == ["DenseASPP: 3×3 at 3, 6, in turn"])
    #expect(
      try head("name: fcn, convolutions: 2, dilation: 6") == ["FCN: 3×3 at 6, 6, in turn"])
    #expect(try head("name: fcn").isEmpty)
  }

  @Test("is said of the backbone: strides, rates, eps and padding")
  func backbones() throws {
    try shapesOnly {
      let torchvision = try #require(SegmentationModel.torchvision("deeplabv3_mobilenet_v3_large"))
      let geometry = NetworkGeometry(torchvision)
      #expect(geometry.outputStride == 16 && !geometry.padsEnds)
      #expect(geometry.backbone.map(\.rate) == [2, 2, 2])
      #expect(geometry.epsilons.map(\.value) == [1e-5, 1e-3])
      #expect(geometry.epsilons.map(\.count) == [7, 46])
      let resnet = try #require(SegmentationModel.torchvision("fcn_resnet50"))
      #expect(
        NetworkGeometry(resnet).rows.contains {
          $0.title == "backbone rates"
            && $0.text == "rate 2 in layer3 ×5, layer4; rate 4 in layer4 ×2"
        })
      let lite = try model(
        "{classes: 3, backbone: {name: efficientnet_lite0, outputStride: 16}, head: {name: fcn}}")
      #expect(NetworkGeometry(lite).padsEnds)
    }
  }

  @Test(
    "is torchvision's where names and shapes are", arguments: TorchvisionNetwork.all.map(\.name))
  func torchvision(_ name: String) throws {
    let network = try #require(TorchvisionNetwork.all.first { $0.name == name })
    func shapes(_ model: SegmentationModel, _ prefix: String = "") -> [String: [Int]] {
      Dictionary(
        uniqueKeysWithValues: model.state.filter { !$0.name.hasSuffix("tracked") }
          .map { (prefix + $0.name, $0.tensor.shape) })
    }
    try shapesOnly {
      let theirs = try #require(
        SegmentationModel.torchvision(name, classes: 7, auxiliary: true))
      for prefix in ["", "module."] {
        let found = try #require(TorchvisionNetwork.matching(shapes(theirs, prefix)))
        #expect(found.network == network && found.classes == 7)
      }
      // The section says the same network, with its auxiliary classifier.
      let own = try model(network.configuration(classes: 7).replacing("model:\n", with: ""))
      #expect(shapes(own) == shapes(theirs))
      #expect(NetworkGeometry(own) == NetworkGeometry(theirs))
      #expect(NetworkGeometry(own) == network.geometry)
    }
    let other = try shapesOnly {
      shapes(try model("{classes: 3, backbone: {name: resnet18}, head: {name: deeplabv3}}"))
    }
    #expect(TorchvisionNetwork.matching(other) == nil)
  }
}
