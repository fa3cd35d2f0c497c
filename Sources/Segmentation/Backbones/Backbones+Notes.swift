import Configuration

extension ModelBuilder {
  /// What the keys of `backbone` mean.
  static let backboneNotes = KeyNotes([
    "name": .init("The network.", "resnet50"),
    "outputStride": .init(
      """
      How many pixels of the image lie between neighbours of the last map; below 32 \
      convolutions are dilated instead of strided. Each network has its own, the largest by \
      default.
      """, "16"),
    "inputChannels": .init("The channels of the image.", "3"),
    "weights": .init(
      "A file of any toolkit's with the backbone's weights, such as one trained on ImageNet.",
      "mobilenet_v2-b0353104.pth"),
    "momentum": .init(
      """
      The weight of the newest batch in running statistics of normalizations; PyTorch's 0.1 \
      without it.
      """,
      "0.01"),
    "frozen": .init("Whether training leaves the whole backbone as it is.", "true"),
    "frozenStages": .init("How many stages, from the image on, training leaves as they are.", "2"),
    "pyramid": .init(
      """
      Factors by which the image is resized besides, for a backbone on several sizes with \
      shared weights.
      """, "[0.5, 2]"),
    "upsample": .init("How many times the last map is enlarged for the head.", "2"),
    "cut": .init("How many stages are kept; all without the key.", "3"),
    "dropRate": .init(
      "The share of images for which training leaves the last block out; earlier ones less often.",
      "0.2"),
    "DenseNet/dropRate": .init("The share of a layer's new channels that training drops.", "0.1"),
    "depths": .init("The blocks of each of the four stages.", "[2, 2, 6, 2]"),
    "widths": .init("The channels of each of the four stages.", "[96, 192, 384, 768]"),
    "mix transformer/widths": .init(
      "The channels of each of the four stages, where they are not `width` for each head.",
      "[32, 64, 160, 256]"),
    "U-Net/widths": .init(
      "The channels at each size, the image's first.", "[16, 32, 64, 128, 256]"),
    "form": .init(
      "Whose form it has where toolkits differ: weights of MMSegmentation need its own.",
      "mmsegmentation"),
    "stemMap": .init(
      "Whether the stem's map, half of the image's size, is the first of the maps.", "true"),
    "DenseNet/normalizeMaps": .init(
      """
      Whether a map is taken after the normalization and ReLU of the transition behind it, as \
      segmentation_models.pytorch does.
      """, "true"),
    "ResNet/blocks": .init("The blocks of each stage.", "[2, 2, 2, 2]"),
    "ResNet/widths": .init(
      "The channels of each stage's 3×3 convolutions, where they are not doubled.",
      "[32, 48, 96, 192]"),
    "dilateBoth": .init(
      """
      Whether both 3×3 convolutions of a dilated block are dilated where it has two, as \
      segmentation_models.pytorch and timm do; the second always has the stage's rate.
      """, "true"),
    "normalizeMaps": .init("Whether each map is normalized before heads see it.", "true"),
    "layerScale": .init("The factor of a block's branch before training.", "1e-6"),
    "blocks": .init("The layers of each dense block.", "[4, 6, 8]"),
    "growth": .init("The channels that a layer adds.", "16"),
    "stem": .init("The channels of the stem.", "32"),
    "bottleneck": .init("The width of a layer's 1×1 convolution, in growths.", "4"),
    "finalTransition": .init(
      "Whether a transition follows the last block too, as in the DenseASPP networks of 2018.",
      "true"),
    "heads": .init("The heads of each stage's attention.", "[1, 2, 4, 8]"),
    "Swin/heads": .init("The heads of each stage's attention.", "[3, 6, 12, 24]"),
    "vision transformer/heads": .init("The heads of each block's attention.", "6"),
    "width": .init(
      "The channels of the first stage; later stages have as many more as they have heads.", "32"),
    "ResNet/width": .init(
      "The channels of the first stage's 3×3 convolutions; each later stage doubles them.", "64"),
    "Swin/width": .init("The channels of the first stage; each later stage doubles them.", "96"),
    "vision transformer/width": .init("The features of a token.", "384"),
    "expansion": .init(
      "The features between the two matrices of a block, as a multiple of its width.", "4"),
    "attentionBias": .init("Whether queries, keys and values have a bias.", "true"),
    "dropout": .init("The share of elements that training drops after each matrix.", "0.1"),
    "patches": .init("The side of each stage's patches.", "[7, 3, 3, 3]"),
    "reductions": .init(
      "How many times smaller the map is that each stage's attention sees.", "[8, 4, 2, 1]"),
    "patchEps": .init(
      "What normalizations after patches and after reduced maps add, where that differs.", "1e-5"),
    "eps": .init("What normalizations add to the variance.", "1e-6"),
    "merging": .init(
      """
      In which order 2×2 positions are joined: whole positions, or the four values of each channel; \
      as `form` says without the key.
      """, "positions"),
    "window": .init("The side of a window in positions.", "7"),
    "strideFirst": .init(
      "Whether the first 1×1 convolution of a block strides rather than the 3×3, as in Caffe.",
      "true"),
    "ceilPooling": .init(
      "Whether the stem's pooling rounds sizes up, as Caffe and `ceil_mode` do.", "true"),
    "blockDilations": .init(
      "The dilation of each of the 17 blocks, where it is not what the output stride asks for.",
      "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]"),
    "deepStem": .init(
      """
      Whether three 3×3 convolutions stand in the place of the stem's 7×7 (MMSegmentation's \
      ResNetV1c).
      """,
      "true"),
    "stemChannels": .init("The channels that the stem gives.", "64"),
    "averageShortcuts": .init(
      "Whether shortcuts halve maps by means rather than by a stride (ResNetV1d).", "true"),
    "contractDilation": .init(
      "Whether the first block of a dilated stage keeps the dilation before, as in torchvision.",
      "false"),
    "multiGrid": .init(
      "What multiplies the dilations of the last stage's blocks in turn (DeepLabV3).", "[1, 2, 4]"),
    "lastDilations": .init(
      "The dilations of the last stage's blocks in turn, as MMSegmentation reads a multi-grid.",
      "[5, 10, 20]"),
    "dilations": .init(
      "The dilation of each stage, where it is not what the output stride asks for.", "[1, 1, 2, 4]"
    ),
    "bilinear": .init(
      "The same as `enlargement: bilinear`, where that is not given.", "true"),
    "enlargement": .init(
      """
      How the decoder doubles a map: by a transposed convolution, bilinearly, or bilinearly \
      and then by a 1×1 convolution.
      """, "bilinear"),
    "encoderDepths": .init(
      "The convolutions at each size of the encoder; two each without the key.", "[2, 2, 2, 2, 2]"),
    "decoderDepths": .init(
      "The convolutions at each size of the decoder, finest first; two each without the key.",
      "[2, 2, 2, 2]"),
    "encoderDilations": .init(
      "The dilation of all but the first convolution at each size of the encoder.",
      "[1, 1, 1, 2, 2]"),
    "decoderDilations": .init(
      "The dilation of all but the first convolution at each size of the decoder.", "[1, 1, 1, 1]"),
    "decoder": .init(
      "Whether there is a decoder; without it the map is the encoder's last.", "false"),
    "depth": .init("The number of blocks.", "12"),
    "imageSize": .init(
      "The image for which there are position embeddings; they are resized for others.", "512x512"),
    "interpolation": .init("How position embeddings are resized for other images.", "bilinear"),
    "levels": .init("The blocks, counted from 0, whose tokens are maps.", "[2, 5, 8, 11]"),
    "normalizeLast": .init("Whether the tokens after the last block are normalized.", "false"),
    "classToken": .init("Whether the class token takes part in the blocks.", "false"),
    "joinClassToken": .init(
      "Whether each map has the class token beside every position, which the head `dpt` can read.",
      "true"),
    "lastConvolution": .init(
      "Whether the 1×1 convolution to the classifier's channels follows the last block.", "false"),
    "padding": .init(
      """
      Where zeros stand: on all sides; as TensorFlow puts them, by the size of each map; or around \
      each block's input, before its first convolution.
      """, "tensorflow"),
    "stemPadding": .init("Whether the first convolution has zeros around the image.", "false"),
    "EfficientNet/padding": .init(
      """
      Where zeros stand: on all sides; as TensorFlow puts them, by the size of each map; or as it would for \
      images of the variant's size (segmentation_models.pytorch).
      """, "fixed"),
    "EfficientNet/eps": .init(
      "What normalizations add to the variance; torchvision's 1e-5, from b5 on 1e-3.", "1e-3"),
    "EfficientNet/stemMap": .init(
      """
      Whether maps are those that segmentation_models.pytorch takes: the first is the stem's, and B0's of \
      stride 16 that of the first block of its size.
      """, "true"),
    "channelMultiplier": .init("What the channels of all layers are multiplied by.", "0.5"),
    "channelDivisor": .init("What the channels of all layers are multiples of.", "4"),
    "Xception/form": .init(
      """
      Whose form it has where names and shapes are the same: TensorFlow's DeepLab and timm's, or that of \
      jfzhang95's or bubbliiiing's repository.
      """, "jfzhang95"),
    "Xception/eps": .init(
      "What normalizations add to the variance; 1e-3, or 1e-5 in the repositories' forms.", "1e-3"),
    "first Xception/form": .init(
      """
      Whose form it has where names are the same: with a normalization and a ReLU at the end, without the ReLU \
      (`smp`), or VainF's, without either, whose last map dilation makes smaller.
      """, "vainf"),
    "first Xception/stemPadding": .init(
      "Whether the first two convolutions have zeros around their maps; not in the form `vainf`.",
      "false"),
    "RegNet/contractDilation": .init(
      "Whether the first block of a dilated stage keeps the dilation before, as in timm.", "false"),
    "rounding": .init(
      """
      How widths become multiples of the groups': to the nearest, as timm has them, or as torchvision, which makes \
      `regnet_x_400mf`, `regnet_y_800mf` and `regnet_y_8gf` wider.
      """, "nearest"),
    "patchBias": .init("Whether the patches' matrix has a bias.", "false"),
  ])

  /// What each family of backbones is.
  static let backboneSentences = [
    "ConvNeXt": "Convolutions in the form of a transformer's blocks (Liu et al., 2022).",
    "DenseNet":
      """
    Every layer sees all before it (Huang et al., 2017); `densenet` has the sizes that you \
    give.
    """,
    "DRN":
      """
    Residual networks without pooling, dilated from the start, and convolutions that take away the grid that \
    dilation leaves (Yu et al., 2017).
    """,
    "EfficientNet":
      """
    Inverted residuals with squeeze and excitation, wider and deeper by one rule (Tan and Le, 2019).
    """,
    "EfficientNet-Lite": "EfficientNets without squeeze and excitation, for small devices.",
    "first Xception":
      "Separable convolutions around shortcuts, with poolings for strides (Chollet, 2017).",
    "mix transformer": "SegFormer's transformer of four stages (Xie et al., 2021).",
    "MobileNetV2": "Inverted residuals (Sandler et al., 2018).",
    "MobileNetV3": "Inverted residuals found by a search (Howard et al., 2019).",
    "RegNet":
      """
    Residual blocks of grouped convolutions, whose widths follow a line; in kind Y with squeeze and \
    excitation (Radosavovic et al., 2020).
    """,
    "ResNet": "Residual networks (He et al., 2016), wider ones and those of grouped convolutions.",
    "Swin": "A transformer of shifted windows (Liu et al., 2021).",
    "U-Net": "An encoder and a decoder at the image's full resolution (Ronneberger et al., 2015).",
    "VGG": "3×3 convolutions and pooling (Simonyan and Zisserman, 2015), with normalizations.",
    "vision transformer":
      """
    Attention among all patches (Dosovitskiy et al., 2021); `vit` has patches of its output \
    stride.
    """,
    "Xception": "Separable convolutions around shortcuts, as DeepLab has them (Chen et al., 2018).",
  ]
}
