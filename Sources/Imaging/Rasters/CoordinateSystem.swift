import CProj
import Files
import Foundation
import Synchronization

/// A system of coordinates on earth, by its number in EPSG's registry or a description.
public struct CoordinateSystem: Sendable, Hashable, CustomStringConvertible {
  private enum Definition: Sendable, Hashable {
    case epsg(Int)
    case text(String)
  }
  private let definition: Definition

  /// The system of a number in EPSG's registry, such as 32633 for UTM's zone 33 north.
  public init(epsg code: Int) { definition = .epsg(code) }

  /// The system of a description: WKT, or `+proj=…`; nil for one that PROJ does not understand, and for one
  /// that names files.
  public init?(definition text: String) {
    let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
    // Descriptions come from files, which must not make PROJ open others.
    guard !text.isEmpty, text.utf8.count <= 65_536,
      !["grids", "init=", "EXTENSION", "pipeline", "file"].contains(where: {
        text.range(of: $0, options: .caseInsensitive) != nil
      }), ["+proj=", "PROJ", "GEOG", "GEOD", "COMP", "BOUND"].contains(where: text.hasPrefix)
    else { return nil }
    definition = .text(text)
    guard Proj.perform({ $0.create(text).map { _ in true } }) ?? false else { return nil }
  }

  /// The number in EPSG's registry, where that defines it.
  public var epsg: Int? { if case .epsg(let code) = definition { code } else { nil } }

  /// How it is called: `EPSG:32633`, or its description.
  public var description: String {
    switch definition {
    case .epsg(let code): "EPSG:\(code)"
    case .text(let text): text
    }
  }

  /// Whether its coordinates are longitude and latitude in degrees.
  public var isGeographic: Bool {
    Proj.perform {
      $0.create(description).map {
        [PJ_TYPE_GEOGRAPHIC_2D_CRS, PJ_TYPE_GEOGRAPHIC_3D_CRS].contains(proj_get_type($0.object))
      }
    } ?? false
  }
}

/// Turns coordinates of a system into longitude and latitude on WGS 84, as GeoJSON wants them (RFC 7946).
public final class GeographicTransform: Sendable {
  private let proj: Mutex<Proj>

  /// A transform from a system.
  ///
  /// - Throws: ``GeographicError`` for a system that PROJ does not know.
  public init(from system: CoordinateSystem) throws {
    guard let proj = Proj(from: system.description) else {
      throw GeographicError.unknownSystem(system.description)
    }
    self.proj = Mutex(proj)
  }

  /// Longitude and latitude in degrees of a place.
  ///
  /// - Throws: ``GeographicError`` for a place that the system does not have.
  public func callAsFunction(_ x: Double, _ y: Double) throws -> (
    longitude: Double, latitude: Double
  ) {
    let found = proj.withLock { proj in
      proj_errno_reset(proj.transform)
      return proj_trans(proj.transform, PJ_FWD, proj_coord(x, y, 0, 0)).xy
    }
    guard found.x.isFinite, found.y.isFinite else { throw GeographicError.noPlace(x: x, y: y) }
    return (found.x, found.y)
  }
}

/// Why a place has no longitude and latitude.
public enum GeographicError: Error, Sendable, Equatable, CustomStringConvertible {
  /// PROJ does not know the system.
  case unknownSystem(String)
  /// The system does not have the place.
  case noPlace(x: Double, y: Double)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unknownSystem(let system):
      "the coordinate system \(system) is not one that PROJ knows; expected a number of EPSG's or WKT"
    case .noPlace(let x, let y):
      "the coordinates (\(x), \(y)) have no longitude and latitude in their system"
    }
  }
}

extension GeoReference {
  /// What turns places in the image, in pixels from its upper left corner, into longitude and latitude.
  ///
  /// - Throws: ``GeographicError`` where the system is not known.
  public func geographic() throws
    -> @Sendable (_ column: Double, _ row: Double) throws -> (
      longitude: Double, latitude: Double
    )
  {
    guard let system else { throw GeographicError.unknownSystem("of this image") }
    let transform = try GeographicTransform(from: system)
    return { [self] column, row in
      let place = coordinates(column: column, row: row)
      return try transform(place.x, place.y)
    }
  }
}

/// PROJ with a context of its own, which one thread at a time may use.
private final class Proj: @unchecked Sendable {
  /// An object of PROJ's.
  final class Object {
    let object: OpaquePointer
    init(_ object: OpaquePointer) { self.object = object }
    deinit { proj_destroy(object) }
  }

  private let context: OpaquePointer
  private(set) var transform: OpaquePointer?

  private init?() {
    guard let context = proj_context_create() else { return nil }
    self.context = context
    proj_log_level(context, PJ_LOG_NONE)
    proj_context_set_enable_network(context, 0)
    // Where PROJ comes with the program its data does, too.
    ResourceFolders.path("share/proj").map { folder in
      folder.withCString { folder in
        var folders: UnsafePointer<CChar>? = folder
        proj_context_set_search_paths(context, 1, &folders)
      }
    }
  }

  /// What goes from a system to longitude and latitude.
  convenience init?(from system: String) {
    self.init()
    guard let raw = proj_create_crs_to_crs(context, system, "OGC:CRS84", nil) else { return nil }
    defer { proj_destroy(raw) }
    guard let normalized = proj_normalize_for_visualization(context, raw) else { return nil }
    transform = normalized
  }

  deinit {
    if let transform { proj_destroy(transform) }
    proj_context_destroy(context)
  }

  func create(_ text: String) -> Object? { proj_create(context, text).map(Object.init) }

  /// What `body` does with PROJ.
  static func perform<Result>(_ body: (Proj) -> Result?) -> Result? { Proj().flatMap(body) }
}
