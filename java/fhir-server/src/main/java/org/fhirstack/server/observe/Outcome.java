package org.fhirstack.server.observe;

/** The outcome of a request in the words of Spring Boot's own HTTP metrics. */
final class Outcome {

    private Outcome() {}

    static String of(int status) {
        return switch (status / 100) {
            case 1 -> "INFORMATIONAL";
            case 2 -> "SUCCESS";
            case 3 -> "REDIRECTION";
            case 4 -> "CLIENT_ERROR";
            case 5 -> "SERVER_ERROR";
            default -> "UNKNOWN";
        };
    }
}
