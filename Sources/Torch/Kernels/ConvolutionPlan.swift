import CTorch

/// Which way a 3×3 convolution of a prepared network takes on this machine.
public struct ConvolutionPlan: Sendable, Codable, Hashable {
  /// How the work is shared out.
  public enum Order: String, Sendable, Codable {
    /// Each thread takes a few tiles from the map to the outputs.
    case tiles
    /// Threads share many tiles and take some outputs each.
    case panels

    /// As the kernels know it.
    var number: ca_order { self == .tiles ? CA_BY_TILES : CA_BY_PANELS }

    /// Nil for the order that rules choose.
    init?(_ number: ca_order) {
      switch number {
      case CA_BY_TILES: self = .tiles
      case CA_BY_PANELS: self = .panels
      default: return nil
      }
    }
  }

  /// The threads of an operator.
  public var threads: Int
  /// The atrous rate.
  public var rate: Int
  /// The images of the map and its size.
  public var images: Int, height: Int, width: Int
  /// The channels.
  public var inputs: Int, outputs: Int
  /// Whether inputs are normalized on the way in.
  public var normalizes: Bool
  /// How the work is shared out.
  public var order: Order
  /// The largest tiles: of 4 or 6 outputs along an axis.
  public var largestTile: Int
  /// What is worked off at once: tiles, or with panels products for each pair of channels.
  public var together: Int
  /// The measured time of this way, and that of the way that rules choose.
  public var milliseconds: Double, ruleMilliseconds: Double

  /// What it is a plan for.
  var layer: ConvolutionPlan {
    var layer = self
    (layer.order, layer.largestTile, layer.together) = (.tiles, 0, 0)
    (layer.milliseconds, layer.ruleMilliseconds) = (0, 0)
    return layer
  }
}

/// A layer that was measured, with its plan where one was clearly faster than the rules.
public struct MeasuredLayer: Sendable {
  /// The layer, its way and the times; the way means nothing where `isPlanned` is false.
  public let plan: ConvolutionPlan
  /// Whether another way than the rules' was clearly faster.
  public let isPlanned: Bool
}

extension ConvolutionPlan {
  /// As the kernels take it; numbers that do not fit become ones that no layer has.
  var numbers: ca_plan {
    ca_plan(
      layer: ca_layer(
        build: ca_build(""), threads: Int32(clamping: threads), rate: Int32(clamping: rate),
        images: Int64(images), inputs: Int64(inputs), outputs: Int64(outputs),
        height: Int64(height), width: Int64(width), normalizes: normalizes ? 1 : 0),
      way: ca_way(
        order: order.number, largest: Int32(clamping: largestTile),
        together: Int32(clamping: together)),
      seconds: milliseconds / 1e3, rule_seconds: ruleMilliseconds / 1e3)
  }

  init(_ numbers: ca_plan) {
    let (layer, way) = (numbers.layer, numbers.way)
    self.init(
      threads: Int(layer.threads), rate: Int(layer.rate), images: Int(layer.images),
      height: Int(layer.height), width: Int(layer.width), inputs: Int(layer.inputs),
      outputs: Int(layer.outputs), normalizes: layer.normalizes != 0,
      order: Order(way.order) ?? .tiles, largestTile: Int(way.largest),
      together: Int(way.together), milliseconds: numbers.seconds * 1e3,
      ruleMilliseconds: numbers.rule_seconds * 1e3)
  }

  /// The ways that the layer of this plan may take.
  var ways: [ConvolutionPlan] {
    var (own, found) = (numbers, [ca_way](repeating: ca_way(), count: Int(CA_MOST_WAYS)))
    let count = ca_ways(&own.layer, &found, Int32(found.count))
    return found.prefix(Int(count)).map { way in
      var plan = own
      plan.way = way
      return ConvolutionPlan(plan)
    }
  }
}

extension MeasuredLayer {
  init(_ numbers: ca_plan) {
    self.init(plan: ConvolutionPlan(numbers), isPlanned: numbers.way.order != CA_BY_RULE)
  }
}
