import Configuration

extension ModelBuilder {
  /// What the keys of `head` mean.
  static let headNotes = KeyNotes([
    "name": .init("The head.", "deeplabv3plus"),
    "level": .init(
      "The last map that the head sees, counted from 0 at the finest; all maps without the key.",
      "2"),
    "momentum": .init(
      """
      The weight of the newest batch in running statistics of normalizations; PyTorch's 0.1 \
      without it.
      """,
      "0.01"),
    "channels": .init("The channels of the head's maps.", "256"),
    "fpn/channels": .init(
      "The channels of each level before all are joined, a multiple of 32.", "128"),
    "linknet/channels": .init("The channels before the classifier.", "32"),
    "pan/channels": .init("The channels of the decoder's maps.", "32"),
    "unet/channels": .init(
      "The channels after each doubling, the deepest map first.", "[256, 128, 64, 32, 16]"),
    "unetplusplus/channels": .init(
      "The channels after each doubling, the deepest map first.", "[256, 128, 64, 32, 16]"),
    "pspnet/channels": .init("The channels before the classifier.", "256"),
    "fcn/channels": .init(
      "The channels of the convolutions; a quarter of the map's in torchvision's form.", "256"),
    "dropout": .init("The share of channels or elements that training drops.", "0.1"),
    "classifierDropout": .init(
      "The share of channels that training drops before the classifier.", "0.1"),
    "low": .init("The map that gives detail, counted from 0 at the finest.", "0"),
    "lowChannels": .init("The channels to which the map of detail is narrowed.", "48"),
    "projectChannels": .init("The channels of queries, keys and values.", "256"),
    "positionChannels": .init("The channels of the queries and keys of positions.", "64"),
    "scales": .init("The numbers of regions along a side whose means are taken.", "[1, 2, 3, 6]"),
    "form": .init("Whose form it has: torchvision's, or MMSegmentation's.", "mmsegmentation"),
    "rates": .init(
      """
      The atrous rate of each branch; 1 is a 1×1 convolution, which torchvision has before its \
      three.
      """,
      "[1, 12, 24, 36]"),
    "deeplabv2/rates": .init("The atrous rate of each branch.", "[6, 12, 18, 24]"),
    "rate": .init(
      "The r of branches 1×1, r, 2r and 3r, in place of `rates` and `baseRate`.", "4"),
    "baseRate": .init(
      "The r that an output stride of 16 would have; at 8 the rates are twice as large.", "6"),
    "unitKernel": .init("The kernel of a branch of rate 1: 1 or 3.", "1"),
    "imagePooling": .init("Whether a branch sees the mean of the whole map.", "false"),
    "poolFirst": .init("Whether that branch is the first rather than the last.", "true"),
    "poolNorm": .init(
      "Whether that branch has a normalization; without it, as in detectron2, a bias.", "false"),
    "poolWindow": .init(
      """
      The height and width of the windows that it sees the mean of, in positions of the map, where that is not \
      the whole map: detectron2's have a sixteenth of the training crop's.
      """, "[32, 64]"),
    "pspnet/poolFirst": .init(
      "Whether the means stand before the map that they are joined with.", "true"),
    "separable": .init("Whether atrous convolutions are depthwise separable.", "true"),
    "between": .init(
      """
      What stands between both convolutions of a separable one: a normalization and a ReLU, a \
      normalization, or nothing as in segmentation_models.pytorch.
      """, "nothing"),
    "separableDecoder": .init(
      "Whether the convolutions on the joined maps are depthwise separable.", "false"),
    "refinePyramid": .init(
      "Whether a depthwise separable convolution follows the pyramid.", "true"),
    "lowFirst": .init(
      "Whether the map of detail is the first of those that are joined.", "true"),
    "deeplabv3plus/convolutions": .init(
      "The number of convolutions on the joined maps.", "1"),
    "alignCorners": .init(
      """
      Whether the head itself resizes so that the corners' centres stay; as the network does \
      without the key.
      """,
      "false"),
    "pan/alignCorners": .init(
      "Whether the head itself resizes so that the corners' centres stay.", "false"),
    "maps": .init("How many maps, counted from the last, the head sees.", "4"),
    "normalizeMaps": .init(
      "Whether each map is normalized over its channels first.", "true"),
    "sizeLevel": .init(
      "The map to whose size all are brought, counted from 0 at the finest.", "1"),
    "normalizeMean": .init(
      "Whether the mean of the whole map has a normalization rather than a bias.", "false"),
    "poolChannels": .init(
      "The channels of each region's means; as many as before the classifier without the key.",
      "128"),
    "pyramidChannels": .init("The channels of the feature pyramid.", "256"),
    "merge": .init("How levels become one map: summed, or joined.", "concatenation"),
    "attention": .init(
      "Whether channels and positions are weighted around each pair of convolutions (scSE).",
      "true"),
    "center": .init(
      "Whether two more convolutions stand before the first doubling, as for VGG.", "true"),
    "classifierKernel": .init("The side of the classifier's kernel: 1 or 3.", "3"),
    "projection": .init("The kernel of the convolution that joins the branches: 1 or 3.", "3"),
    "refine": .init(
      "Whether a 3×3 convolution stands between the pyramid and the classifier.", "false"),
    "official": .init(
      "Whether the defaults are those of the official code of 2018 rather than of the paper.",
      "true"),
    "dilations": .init("The dilation of each level.", "[3, 6, 12, 18, 24]"),
    "fastfcn/dilations": .init("The dilations at which the joined maps are seen.", "[1, 2, 4, 8]"),
    "growth": .init("The channels that a level adds.", "64"),
    "block": .init(
      """
      What a level is: one 3×3 convolution, a 1×1 convolution before it, or both with their \
      normalizations behind them.
      """, "bottleneck"),
    "bottleneck": .init("The width of a level's 1×1 convolution.", "256"),
    "bias": .init("Whether convolutions have a bias; the classifier always has one.", "true"),
    "normFirst": .init("Whether the first level begins with a normalization.", "false"),
    "postNorm": .init("Whether a normalization follows each 3×3 convolution.", "true"),
    "finalNorm": .init("Whether a normalization precedes the classifier.", "true"),
    "reassembled": .init("The channels of the four reassembled maps.", "[96, 192, 384, 768]"),
    "readout": .init(
      """
      What becomes of the class token: left out, added to every position, or mixed with it by \
      a matrix.
      """, "ignore"),
    "enlargeScores": .init(
      "Whether the head doubles its scores with the corners aligned, as transformers' DPT does.",
      "true"),
    "normalizeFusions": .init(
      "Whether convolutions of a fusion have a normalization rather than a bias.", "false"),
    "auxiliaryWeight": .init(
      "The weight of the loss of a second classifier on the last map, which only training uses.",
      "0.4"),
    "levels": .init(
      """
      What each map goes through before all are joined: a matrix with normalization and ReLU, as \
      in MMSegmentation, or a matrix alone, as in the authors' code and that of others.
      """, "matrix"),
    "codes": .init("The number of code words.", "32"),
    "presenceWeight": .init(
      "The weight of the loss for the classes that an image shows; 0 leaves it out.", "0.2"),
    "laterals": .init("Earlier maps that are joined to the last, counted from 0.", "[1, 2]"),
    "head": .init(
      "The head behind the joined maps, with its own keys; `deeplabv3` if it has no name.",
      "{name: deeplabv3, rate: 12}"),
    "convolutions": .init("The number of convolutions.", "2"),
    "kernel": .init("The side of their kernels, an odd number.", "3"),
    "dilation": .init("Their atrous rate.", "6"),
    "joinInput": .init(
      "Whether a further convolution joins their result and the map they began with.", "true"),
    "reduction": .init("How many times fewer channels the projections have.", "2"),
    "weighting": .init("How products become weights: by a softmax, or by their mean.", "mean"),
    "scale": .init("Whether products are divided by the root of their length.", "false"),
    "factor": .init("How many times larger each convolution leaves the map.", "2"),
    "setr_mla/factor": .init("How many times the maps are enlarged before they are joined.", "4"),
    "interpolation": .init("How maps are brought to one size.", "nearest"),
    "depth": .init("The number of blocks.", "2"),
    "width": .init("The features of a token; as many as the map has channels by default.", "192"),
    "heads": .init("The heads of their attention; one for 64 features by default.", "4"),
    "expansion": .init(
      "The features between the two matrices of a block, as a multiple of its width.", "4"),
    "attentionBias": .init("Whether queries, keys and values have a bias.", "true"),
    "eps": .init("What normalizations add to the variance.", "1e-5"),
    "dropRate": .init(
      "The share of images for which training leaves the last block out; earlier ones less often.",
      "0.1"),
  ])

  /// What each head is.
  static let headSentences = [
    "ann": "Asymmetric non-local attention to regions of an earlier map (Zhu et al., 2019).",
    "danet": "Attention between positions and between channels, summed (Fu et al., 2019).",
    "deeplabv2":
      "Convolutions at several rates straight to the classes, summed (Chen et al., 2018).",
    "deeplabv3": "Atrous spatial pyramid pooling (Chen et al., 2017).",
    "deeplabv3plus": "Atrous spatial pyramid pooling, refined by a finer map (Chen et al., 2018).",
    "denseaspp":
      "Atrous convolutions one after the other, each seeing all before (Yang et al., 2018).",
    "dpt": "A vision transformer's maps reassembled and fused (Ranftl et al., 2021).",
    "encnet": "Features weighted by what an image's code words say (Zhang et al., 2018).",
    "fastfcn": "Maps of all sizes joined at the finest, before another head (Wu et al., 2019).",
    "fcn": "A few convolutions and a classifier (Long et al., 2015).",
    "fpn": "A feature pyramid, each level enlarged and all summed (Kirillov et al., 2019).",
    "linear": "A classifier alone, for backbones that do the rest, such as a U-Net.",
    "linknet":
      "A decoder that adds what the backbone has at each size (Chaurasia and Culurciello, 2017).",
    "lraspp": "MobileNetV3's small head (Howard et al., 2019).",
    "nonlocal": "A non-local block between convolutions (Wang et al., 2018).",
    "pan": "Pyramid attention, and guidance by deeper maps (Li et al., 2018).",
    "pspnet": "Means over regions of several sizes (Zhao et al., 2017).",
    "segformer": "Maps of all sizes, narrowed and joined (Xie et al., 2021).",
    "segmenter": "A mask transformer: a token for each class (Strudel et al., 2021).",
    "setr_aspp": "SETR's enlargement behind atrous spatial pyramid pooling.",
    "setr_mla": "SETR's head on maps that the neck `mla` aggregated (Zheng et al., 2021).",
    "setr_naive": "SETR's classifier on a transformer's last map (Zheng et al., 2021).",
    "setr_pup": "SETR's progressive enlargement (Zheng et al., 2021).",
    "unet": "A U-Net's decoder over the maps of any backbone (Ronneberger et al., 2015).",
    "unetplusplus": "A U-Net with decoders in its skip connections (Zhou et al., 2018).",
    "upernet": "Pyramid pooling and a feature pyramid (Xiao et al., 2018).",
  ]
}
