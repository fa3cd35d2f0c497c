import Configuration
import Files
import Segmentation
import Torch

/// DPT and MobileNetV2 in the words of their `config.json`.
extension HuggingFaceWriter {
  static func dpt(
    _ backbone: VisionTransformer, _ head: Section
  ) throws -> [String: JSON] {
    let own = backbone.configuration
    func number(_ value: Int) -> JSON { .number(Double(value)) }
    guard own.interpolation == .bilinear else {
      throw failure("its position embeddings are resized by \(own.interpolation); there bilinearly")
    }
    let normalizes = try head.bool("normalizeFusions", default: true)
    let weight = try head.optionalDouble("auxiliaryWeight")
    return [
      "model_type": "dpt", "hidden_size": number(own.width), "num_hidden_layers": number(own.depth),
      "num_attention_heads": number(own.heads),
      "intermediate_size": number(Int(Double(own.width) * own.expansion)),
      "image_size": .ints([own.grid.rows * own.patch, own.grid.columns * own.patch]),
      "patch_size": number(own.patch), "layer_norm_eps": .number(own.eps), "hidden_act": "gelu",
      "hidden_dropout_prob": .number(own.dropout), "qkv_bias": true, "is_hybrid": false,
      "backbone_out_indices": .ints(own.levels),
      "readout_type": .string(try head.string("readout", default: "project")),
      "reassemble_factors": [4, 2, 1, .number(0.5)],
      "neck_hidden_sizes": .ints(
        try head.ints("reassembled", default: DPT.Configuration().reassembled)),
      "fusion_hidden_size": number(try head.int("channels", default: 256)),
      "use_batch_norm_in_fusion_residual": .bool(normalizes),
      "use_bias_in_fusion_residual": .bool(!normalizes),
      "semantic_classifier_dropout": .number(try head.double("dropout", default: 0.1)),
      "use_auxiliary_head": .bool(weight != nil), "auxiliary_loss_weight": .number(weight ?? 0.4),
    ]
  }

  static func mobileNetV2(
    _ backbone: MobileNetV2, _ head: Section
  ) throws -> [String: JSON] {
    let own = backbone.configuration
    let rates = try head.ints("rates", default: [])
    guard rates == [1], try head.bool("poolFirst", default: false),
      try head.bool("refine", default: true) == false
    else {
      throw failure(
        "its head is not transformers', which has the mean of the map and a 1×1 branch only:"
          + " rates: [1], poolFirst: true, refine: false")
    }
    guard !own.endsWithConvolution, own.padding != .block, own.divisor == 8 else {
      throw failure(
        "its backbone is not transformers': expected lastConvolution: false, channelDivisor: 8 and"
          + " padding symmetric or tensorflow")
    }
    return [
      "model_type": "mobilenet_v2", "depth_multiplier": .number(own.multiplier),
      "depth_divisible_by": 8, "min_depth": 8, "expand_ratio": 6, "first_layer_is_expansion": true,
      "finegrained_output": true, "hidden_act": "relu6", "layer_norm_eps": .number(own.eps),
      "tf_padding": .bool(own.padding == .tensorflow),
      "output_stride": .number(Double(backbone.strides.last ?? 32)),
      "classifier_dropout_prob": .number(try head.double("classifierDropout", default: 0)),
    ]
  }

  /// The tensors that a network has there and never uses, as they are when it is built.
  static func unread(
    _ model: SegmentationModel, _ head: Section
  ) throws -> [(name: String, tensor: Tensor)] {
    func zeros(_ shape: [Int]) -> Tensor { Tensor(filledWith: 0, shape) }
    func ones(_ shape: [Int]) -> Tensor { Tensor(filledWith: 1, shape) }
    func norm(_ name: String, _ count: Int) -> [(name: String, tensor: Tensor)] {
      [
        ("\(name).weight", ones([count])), ("\(name).bias", zeros([count])),
        ("\(name).running_mean", zeros([count])), ("\(name).running_var", ones([count])),
        ("\(name).num_batches_tracked", Tensor(0).to(.int64)),
      ]
    }
    switch model.backbone {
    case let backbone as VisionTransformer:
      let (width, name) = (backbone.configuration.width, "dpt.layernorm")
      let channels = try head.int("channels", default: 256)
      let normalizes = try head.bool("normalizeFusions", default: true)
      var state = [("\(name).weight", ones([width])), ("\(name).bias", zeros([width]))]
      // The deepest map has nothing coarser to be added to.
      let unit = "neck.fusion_stage.layers.0.residual_layer1."
      for number in 1...2 {
        let convolution = "\(unit)convolution\(number)"
        state.append(("\(convolution).weight", zeros([channels, channels, 3, 3])))
        if normalizes {
          state += norm("\(unit)batch_norm\(number)", channels)
        } else {
          state.append(("\(convolution).bias", zeros([channels])))
        }
      }
      return state
    case let backbone as MobileNetV2:
      let multiplier = backbone.configuration.multiplier
      let count = multiplier < 1 ? 1280 : Int((1280 * multiplier + 4) / 8) * 8
      let name = "mobilenet_v2.conv_1x1"
      return [("\(name).convolution.weight", zeros([count, backbone.width, 1, 1]))]
        + norm("\(name).normalization", count)
    default: return []
    }
  }
}
