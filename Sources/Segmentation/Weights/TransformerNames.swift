/// The names that timm and the authors give vision transformers and shifted windows, from those of
/// torchvision.
enum TransformerNames {
  /// ViT and DeiT: `cls_token`, `blocks.3.attn.qkv.weight`, `blocks.3.mlp.fc1.bias`, `norm.weight`.
  @Sendable
  static func vision(_ name: String) -> String? {
    name.replacing("class_token", with: "cls_token")
      .replacing("encoder.pos_embedding", with: "pos_embed")
      .replacing("conv_proj.", with: "patch_embed.proj.")
      .replacing("encoder.layers.encoder_layer_", with: "blocks.")
      .replacing("ln_1.", with: "norm1.").replacing("ln_2.", with: "norm2.")
      .replacing("self_attention.in_proj_", with: "attn.qkv.")
      .replacing("self_attention.out_proj.", with: "attn.proj.")
      .replacing("mlp.0.", with: "mlp.fc1.").replacing("mlp.3.", with: "mlp.fc2.")
      .replacing("encoder.ln.", with: "norm.").replacing("heads.head.", with: "head.")
  }

  /// Swin: `patch_embed.proj`, `layers.2.blocks.5.attn.qkv`, `layers.1.downsample.reduction`; a
  /// merging belongs to the stage before it, in newer files of timm to the one after it.
  static func swin(_ name: String, mergingIsLater: Bool) -> String? {
    var parts = name.split(separator: ".").map(String.init)
    if parts.first == "features" { parts.removeFirst() }
    // The positions' distances are the same in every file.
    guard parts.last != "relative_position_index" else { return nil }
    guard parts.count > 2, let layer = Int(parts[0]) else {
      return name.replacing("norms.", with: "norm")
    }
    let rest = parts.dropFirst().joined(separator: ".")
    if layer == 0 { return "patch_embed." + (parts[1] == "0" ? "proj." : "norm.") + parts[2] }
    if layer % 2 == 0 { return "layers.\(layer / 2 - (mergingIsLater ? 0 : 1)).downsample.\(rest)" }
    return "layers.\(layer / 2).blocks.\(rest)"
      .replacing("mlp.0.", with: "mlp.fc1.").replacing("mlp.3.", with: "mlp.fc2.")
  }
}
