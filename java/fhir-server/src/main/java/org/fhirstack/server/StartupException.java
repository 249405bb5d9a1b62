package org.fhirstack.server;

/** A reason not to start that an operator can act on: it is printed as a message, without a stack trace. */
public class StartupException extends RuntimeException {
    private final ExitCode exitCode;

    public StartupException(ExitCode exitCode, String message) {
        super(message);
        this.exitCode = exitCode;
    }

    public StartupException(ExitCode exitCode, String message, Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    public ExitCode exitCode() {
        return exitCode;
    }
}
