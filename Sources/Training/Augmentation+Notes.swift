import Configuration
import Datasets

extension Transform {
  /// What the keys of an entry of `train.augmentation` mean.
  static let notes = KeyNotes([
    "resize": .init("Stretches to exactly this size.", "480x360"),
    "resizeToFit": .init(
      "Scales, keeping proportions, to the largest size in this box.", "2048x1024"),
    "resizeShorterSide": .init(
      "Scales, keeping proportions, so that the shorter side has this length.", "512"),
    "randomResize": .init(
      "Scales, keeping proportions, by a factor drawn between two numbers.", "[0.5, 2.0]"),
    "box": .init(
      "The box that the factor multiplies; the picture's own size without it.", "2048x1024"),
    "randomCrop": .init("Cuts out a window at a random position.", "512x512"),
    "maxClassShare": .init(
      "The largest share of labelled pixels that one class may have in the window.", "0.75"),
    "centerCrop": .init("Cuts out the window in the middle.", "512x512"),
    "pad": .init("Extends to at least this size, at the right and at the bottom.", "512x512"),
    "padToMultiple": .init("Extends until both sides are multiples of this number.", "32"),
    "horizontalFlip": .init("Mirrors left and right, with this probability.", "0.5"),
    "verticalFlip": .init("Mirrors top and bottom, with this probability.", "0.5"),
    "rotation": .init(
      "Turns about the centre by degrees drawn between two numbers, clockwise positive.",
      "[-10, 10]"),
    "probability": .init("How often it happens.", "0.5"),
    "photometricDistortion": .init(
      "Changes brightness, contrast, saturation and hue, each half of the time (SSD).",
      "{hue: 9}", "true"),
    "photometricDistortion.brightness": .init("The largest offset, in levels of 255.", "32"),
    "photometricDistortion.contrast": .init("The bounds of the factor.", "[0.5, 1.5]"),
    "photometricDistortion.saturation": .init("The bounds of the factor.", "[0.5, 1.5]"),
    "photometricDistortion.hue": .init("The largest shift, in units of 2°.", "18"),
    "colorJitter": .init(
      "Changes brightness, contrast, saturation and hue in an order drawn at random (torchvision).",
      "{brightness: 0.3, contrast: 0.3}"),
    "colorJitter.brightness": .init("Factors are drawn up to this far from 1.", "0.3"),
    "colorJitter.contrast": .init("Factors are drawn up to this far from 1.", "0.3"),
    "colorJitter.saturation": .init("Factors are drawn up to this far from 1.", "0.3"),
    "colorJitter.hue": .init("The largest shift, in turns of the colour circle.", "0.1"),
    "gamma": .init(
      "Raises levels of 0 to 1 to a power drawn between two numbers, 1/x as often as x; light for dark.",
      "[0.6, 1.7]"),
    "gaussianBlur": .init(
      "Blurs by a Gaussian filter whose standard deviation, in pixels, is drawn between two numbers.",
      "[0.1, 1.5]"),
    "gaussianNoise": .init(
      "Adds noise whose standard deviation, in levels of 255, is drawn between two numbers.",
      "[0, 10]"),
    "copyPaste": .init(
      """
      Pastes connected regions of rare classes of another training image, with their labels (Ghiasi et al., CVPR 2021); \
      comes before all others.
      """, "{classes: [pole, sign, bicyclist]}"),
    "copyPaste.classes": .init(
      "The classes; one of them is drawn, and an image that holds it.", "[pole, sign, bicyclist]"),
    "copyPaste.probability": .init("How often something is pasted.", "0.5"),
    "copyPaste.regions": .init("The most regions at once; how many is drawn.", "10"),
    "copyPaste.area": .init(
      "The smallest and the largest share of their image that regions have.", "[0.0005, 0.02]"),
    "copyPaste.scale": .init("The factors between which regions are scaled.", "[0.5, 2.0]"),
    "copyPaste.shift": .init(
      """
      How far regions move from where they were at most, as a share of the image's width and height.
      """, "0.1"),
    "antialias": .init(
      "Whether shrinking widens the filter, as Pillow and torchvision do; OpenCV does not.", "false"
    ),
    "fill": .init("What fills the parts of the image where there is no picture.", "black"),
  ])
}
