import Evaluation
import Configuration

extension TrainingConfiguration {
  /// What the sections of a configuration are.
  static let notes = KeyNotes([
    "output": .init("The folder of the run, unless `--output` names another.", "runs/vessels"),
    "data": .init(
      "The images, the classes, and how levels become numbers.", "{layout: camvid, root: data}"),
    "model": .init(
      "The network.", "{backbone: {name: mobilenet_v2}, head: {name: denseaspp}}"),
    "train": .init(
      "How the network is trained.",
      "{epochs: 50, optimizer: {name: adamW, learningRate: 0.001}}"),
    "evaluate": .init("How the network is scored.", "{split: test}"),
  ])
}

extension EvaluationSettings {
  /// What the keys of `evaluate` mean.
  static let notes = KeyNotes([
    "split": .init(
      "The part of the data that is scored: `train`, `val`, `test` or a split's own name.", "test"),
    "limit": .init("The most images that are scored, evenly spread; 0 for all.", "50"),
    "shortSide": .init(
      """
      The length to which the shorter side of images is resized for the network, the longer in \
      proportion.
      """, "513"),
    "imageSize": .init(
      "The size to which images are resized for the network; their own without the key.", "1024x512"
    ),
    "keepAspectRatio": .init(
      """
      Whether images keep their proportions beside `imageSize`: both sides are scaled by the factor of that side which \
      changes an image less.
      """, "true", with: ["imageSize=480x480"]),
    "multipleOf": .init(
      "What sides are rounded to multiples of, beside `keepAspectRatio`; 1 without the key.", "32",
      with: ["imageSize=480x480", "keepAspectRatio=true"]),
    "scales": .init(
      "The factors by which images are resized; what the network says of each is averaged.",
      "[0.75, 1, 1.25]"),
    "flip": .init("Whether each image is seen mirrored, too.", "true"),
    "average": .init(
      "What is averaged over scales, mirror images and windows.", "logProbabilities"),
    "window": .init(
      "The window that slides over images, or `none`; whole images without the key.", "512x512",
      "none"),
    "overlap": .init("The share of a side that windows have in common.", "0.5"),
    "windowWeights": .init("How pixels of a window count.", "gaussian"),
    "pad": .init(
      """
      What happens to sides that are no multiple of the network's stride: nothing, or they are \
      extended at right and bottom.
      """, "zero"),
  ])
}

extension TrainingSettings {
  /// What the keys of `train` mean.
  static let notes = KeyNotes([
    "iterations": .init(
      "The length in changes of the weights; this, `epochs` or `minutes` must be given.", "40000"),
    "epochs": .init(
      "The length in passes over the training images.", "50", with: ["iterations=null"]),
    "minutes": .init(
      "About how long the run takes; the first iterations tell how many fit.", "8",
      with: ["iterations=null"]),
    "batchSize": .init("The images of a batch.", "8"),
    "accumulate": .init("The batches whose gradients make one iteration together.", "4"),
    "optimizer": .init(
      "The rule, the rates and what decays.", "{name: adamW, learningRate: 0.001}"),
    "schedule": .init("How the learning rate changes.", "{name: poly, warmUp: 500}"),
    "loss": .init("What training makes small.", "{name: crossEntropyDice}"),
    "clip": .init("The largest norm of all gradients together; any without the key.", "1"),
    "augmentation": .init(
      "What is done to every training image, in this order; nothing without the key.",
      "[{randomCrop: 512x512}, {horizontalFlip: 0.5}]"),
    "sampling": .init(
      "Which images are seen how often and where they are cut, for classes that are rare.",
      "{images: balanced, crops: 0.5}", with: ["augmentation=[{randomCrop: 64x64}]"]),
    "sampling.images": .init(
      """
      How often an epoch shows an image: once; in proportion to its repeat factor (LVIS, Gupta et al. 2019); or as if a class \
      were drawn and then an image that holds it. An epoch has as many images as there are.
      """, "balanced"),
    "sampling.threshold": .init(
      "The share of images, for `repeatFactor`, below which a class is rare: its images count √(threshold / share).",
      "0.3", with: ["sampling.images=repeatFactor"]),
    "sampling.crops": .init(
      """
      The probability that a `randomCrop` shows a pixel of a class that is drawn of those in the image, instead of lying \
      anywhere.
      """, "0.5", with: ["augmentation=[{randomCrop: 64x64}]"]),
    "sampling.classes": .init(
      "How a class is drawn, for `balanced` and `crops`: each alike, or by its share of the labelled pixels.",
      "uniform", with: ["sampling.images=balanced"]),
    "evaluateEvery": .init("How often the network is scored.", "500", "5 epochs", "0"),
    "checkpointEvery": .init("How often it is saved, besides after scoring and at the end.", "500"),
    "snapshots": .init(
      "Checkpoints that stay beside the last and the best; none without the key.",
      "{every: 5 epochs, keep: 3}"),
    "snapshots.every": .init("How often one is taken.", "5 epochs"),
    "snapshots.keep": .init("How many stay, the newest; all without the key.", "3"),
    "best": .init(
      "The score that the best checkpoint, `earlyStopping` and the schedule `plateau` follow.",
      "meanDice", "{iou: vessel}"),
    "best.iou": .init("The class whose IoU it is.", "vessel"),
    "earlyStopping": .init(
      "Ends a run whose score no longer gets better; never without the key.", "{patience: 10}"),
    "earlyStopping.patience": .init("The scores without a better one that are put up with.", "10"),
    "earlyStopping.minimumChange": .init("The change that makes a score a better one.", "0.001"),
    "logEvery": .init("How often a line is logged, in iterations.", "50"),
    "tensorBoard": .init(
      "Whether TensorBoard's events are written, with pictures of scored images.", "false",
      "{images: 8}"),
    "tensorBoard.images": .init("How many pictures.", "8"),
    "seed": .init("What all random numbers come from.", "1"),
    "deterministic": .init(
      "Whether only algorithms run that give the same bits on every run; on the CPU all do.", "true"
    ),
    "threads": .init("The threads of the network; 0 for libtorch's choice.", "2"),
    "workers": .init("The threads that prepare images; 0 for one a core.", "2"),
    "cacheMegabytes": .init("The memory for decoded images.", "400"),
    "precision": .init("The type that convolutions are computed in.", "bfloat16"),
    "recomputeActivations": .init(
      """
      Whether blocks run again for their gradients instead of keeping activations: less \
      memory, more time.
      """, "true"),
    "synchronizeBatchNorm": .init(
      "Whether batch normalization takes its statistics over the images of all processes.", "true"),
    "freeze": .init("What training leaves as it is.", "backbone"),
    "featureCache": .init(
      """
      Whether features of a frozen backbone are kept on disk, or the folder where; whatever is \
      possible without the key.
      """, "true", "features", "{megabytes: 20000}"),
    "featureCache.folder": .init("Where; the run's folder without the key.", "features"),
    "featureCache.megabytes": .init("The most that they may take.", "20000"),
    "ema": .init(
      "The decay of a moving average of the weights, which is then scored and used.", "0.999"),
    "startFrom": .init(
      "The run, checkpoint or file of weights that training starts from.", "runs/cityscapes"),
  ])
}
