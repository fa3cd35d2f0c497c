import Configuration
import Testing
import Torch

@testable import Segmentation

@Suite("Configurations of Hugging Face")
struct HuggingFaceNetworkTests {
  private func network(_ json: String) throws -> HuggingFaceNetwork {
    try HuggingFaceNetwork(Section(yaml: json, named: "config.json"))
  }

  @Test("name classes, or only count them")
  func classes() throws {
    let named = try network(
      #"{"model_type": "segformer", "id2label": {"0": "wall", "1": "sky: blue", "2": "tree"}}"#)
    #expect(named.classNames == ["wall", "sky: blue", "tree"])
    #expect(named.classes == 3)
    let counted = try network(
      #"{"model_type": "segformer", "id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#)
    #expect(counted.classNames == [])
    #expect(counted.classes == 2)
    #expect(try network(#"{"model_type": "segformer", "num_labels": 7}"#).classes == 7)
  }

  @Test("are networks that can be built", arguments: HuggingFaceNetwork.known)
  func defaults(_ type: String) throws {
    let json =
      type == "mobilenet_v2"
      ? #"{"model_type": "mobilenet_v2", "output_stride": 16}"#
      : type == "upernet"
        ? #"{"model_type": "upernet", "backbone_config": {"model_type": "convnext"}}"#
        : #"{"model_type": "\#(type)"}"#
    let network = try network(json)
    let model = try shapesOnly {
      try ModelBuilder.build(Section(yaml: network.model, named: "test"))
    }
    #expect(model.classes == 2)
  }

  @Test(
    "that nothing here stands for are refused with the key",
    arguments: [
      (#"{"model_type": "bert"}"#, "model_type"),
      (#"{"model_type": "segformer", "strides": [4, 2, 2, 1]}"#, "strides"),
      (#"{"model_type": "segformer", "mlp_ratios": [4, 4, 4, 2]}"#, "mlp_ratios"),
      (#"{"model_type": "segformer", "hidden_act": "relu"}"#, "hidden_act"),
      (#"{"model_type": "segformer", "id2label": {"0": "a", "2": "b"}}"#, "id2label"),
      (
        #"{"model_type": "segformer", "architectures": ["SegformerForImageClassification"]}"#,
        "architectures"
      ),
      (#"{"model_type": "dpt", "is_hybrid": true}"#, "is_hybrid"),
      (#"{"model_type": "dpt", "reassemble_factors": [1, 1, 1, 1]}"#, "reassemble_factors"),
      (
        #"{"model_type": "upernet", "backbone_config": {"model_type": "resnet"}}"#,
        "model_type"
      ),
      (
        #"{"model_type": "upernet", "backbone_config": {"use_absolute_embeddings": true}}"#,
        "use_absolute_embeddings"
      ),
      (#"{"model_type": "mobilenet_v2", "expand_ratio": 4}"#, "expand_ratio"),
      (#"{"architectures": []}"#, "model_type"),
    ])
  func refusals(_ json: String, _ key: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try network(json) }
    #expect(error?.description.contains("'\(key)'") == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("config.json") == true)
  }
}

@Suite("TensorFlow's padding")
struct PaddingBySizeTests {
  @Test("follows the parity of each side", arguments: [(8, 9), (9, 8), (7, 7), (6, 6)])
  func sides(_ height: Int, _ width: Int) {
    let conv = Conv2d(1, 1, kernel: 3, stride: 2, padsBySize: true, bias: false)
    conv.weight.fill(0)
    // The kernel's middle alone: it looks at every second position, from 1 on for even sides, from 0 on
    // for odd ones.
    withoutGradients { conv.weight.reshaped(9).sliced(0, 4, 5).fill(1) }
    let x = Tensor((0..<height * width).map(Float.init), [1, 1, height, width])
    let y = withoutGradients { conv(x) }
    #expect(y.shape == [1, 1, (height + 1) / 2, (width + 1) / 2])
    let (row, column) = (height.isMultiple(of: 2) ? 1 : 0, width.isMultiple(of: 2) ? 1 : 0)
    let expected = stride(from: row, to: height, by: 2).flatMap { row in
      stride(from: column, to: width, by: 2).map { Float(row * width + $0) }
    }
    #expect(y.floats == expected)
  }
}
