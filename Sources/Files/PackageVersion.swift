/// The version of Atrous, by semantic versioning: the one place where it stands.
///
/// `atrous --version`, packages made of the command and tags of the repository share it.
public enum PackageVersion {
  /// The version, such as `0.2.0`.
  public static let current = "0.2.0"
}
