// The names that MMSegmentation gives the parts of a U-Net: the encoder's and the decoder's steps are
// numbered from the finest on.

import Torch

extension UNet: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    if let level = Int(child.dropFirst("down".count)), child.hasPrefix("down") {
      return "encoder.\(level)"
    }
    let step = Int(child.dropFirst("up".count)) ?? 0
    return child == "inc" ? "encoder.0.0" : "decoder.\(ups.count - step)"
  }
}

extension DownStep: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { "1" }
}

extension UpStep: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    child == "up" ? "upsample.interp_upsample.1" : "conv_block"
  }
}

extension ConvBlock: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { "convs" }
}
