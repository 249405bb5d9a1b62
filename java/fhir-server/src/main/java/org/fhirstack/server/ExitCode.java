package org.fhirstack.server;

/** Exit codes of the process; the numbers are those of sysexits.h. */
public enum ExitCode {
    /** Anything not foreseen: see the log. */
    FAILURE(1),
    /** EX_UNAVAILABLE: the database could not be reached in time. */
    DATABASE_UNAVAILABLE(69),
    /** EX_OSERR: an address or a port cannot be listened on. */
    CANNOT_LISTEN(71),
    /** EX_CONFIG: the configuration cannot be honoured. */
    CONFIGURATION(78);

    private final int number;

    ExitCode(int number) {
        this.number = number;
    }

    /** What {@code $?} shows. */
    public int number() {
        return number;
    }
}
