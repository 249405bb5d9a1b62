package org.fhirstack.gateway;

/** A request that is not served: HTTP status, a short code for logs and metrics, and what the caller is told. */
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final int status;
    private static final int LONGEST_PLACE = 160;
    private final String reason;
    private final String place;

    public Refusal(int status, String reason, String text) {
        this(status, reason, text, "");
    }

    private Refusal(int status, String reason, String text, String place) {
        super(text, null, false, false);
        this.status = status;
        this.reason = reason;
        this.place = place;
    }

    public static Refusal malformed(String text) {
        return new Refusal(400, "malformed", text);
    }

    public static Refusal denied(String reason, String text) {
        return new Refusal(403, reason, text);
    }

    public static Refusal missingRole(String method, String type) {
        return denied("role", "Missing realm role " + method + "_" + type.toUpperCase(java.util.Locale.ROOT)
                + " or MANAGE_" + type.toUpperCase(java.util.Locale.ROOT) + ".");
    }

    /**
     * What is not the user's. The sender is not told whether it exists; the log is.
     *
     * @param what as {@code Type/id}
     */
    public static Refusal outside(String what, boolean exists) {
        return denied(exists ? "outside" : "absent", what + " does not exist, or is not in your assignments.");
    }

    /** The same refusal with the thing in front that it is about. */
    public Refusal about(String what) {
        return new Refusal(status, reason, what + ": " + getMessage(), what);
    }

    /** What it is about, fit for a log: without what was searched; empty when it is about the request as a whole. */
    public String place() {
        String plain = place.replaceAll("\\?[^)]*", "").replaceAll("[^A-Za-z0-9._/()\\[\\]-]", "_");
        return plain.substring(0, Math.min(plain.length(), LONGEST_PLACE));
    }

    public static Refusal token(String reason, String text) {
        return new Refusal(401, reason, text);
    }

    public int status() {
        return status;
    }

    public String reason() {
        return reason;
    }

    /** The FHIR issue code that goes with the status. */
    public String issueCode() {
        return switch (status) {
            case 401 -> "login";
            case 403 -> "forbidden";
            case 404 -> "not-found";
            case 405, 415 -> "not-supported";
            case 408 -> "timeout";
            case 409 -> "conflict";
            case 413 -> "too-long";
            case 502, 503, 504 -> "transient";
            case 500 -> "exception";
            default -> "invalid";
        };
    }
}
