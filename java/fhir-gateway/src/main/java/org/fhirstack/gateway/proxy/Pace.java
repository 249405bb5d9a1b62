package org.fhirstack.gateway.proxy;

/**
 * How fast a body must arrive: in every {@value #WINDOW_SECONDS} seconds a phone's slowest network brings more. A large
 * body holds room that others need, so it must be faster.
 */
final class Pace {
    static final int WINDOW_SECONDS = 15;
    private static final int SLOWEST = 512;
    private static final int SLOWEST_LARGE = 4_096;
    private static final int LARGE = 1 << 20;
    private static final long WINDOW = WINDOW_SECONDS * 1_000_000_000L;
    private long start;
    private long before;

    Pace(long nanos) {
        start = nanos;
    }

    /** Begins a window: when reading was ours to delay, the sender is not slow. */
    void restart(long nanos, long bytes) {
        start = nanos;
        before = bytes;
    }

    /** True when a window ended in which too little arrived of a body that has now so many bytes. */
    boolean tooSlow(long nanos, long bytes) {
        if (nanos - start < WINDOW) {
            return false;
        }
        long least = (long) (bytes > LARGE ? SLOWEST_LARGE : SLOWEST) * WINDOW_SECONDS;
        boolean slow = bytes - before < least;
        restart(nanos, bytes);
        return slow;
    }
}
