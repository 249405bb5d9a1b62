package org.fhirstack.gateway.proxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import jakarta.servlet.AsyncContext;
import java.lang.reflect.Proxy;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Writes in turns: who waits goes on or is refused, and no turn is lost. */
@Timeout(120)
class TurnsTest {
    private static final long FOREVER = 3_600_000;
    private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    private final AsyncContext alive = context(false);
    private Turns turns;

    /** A request whose work is started at once, or that the container has ended. */
    private static AsyncContext context(boolean ended) {
        return (AsyncContext) Proxy.newProxyInstance(TurnsTest.class.getClassLoader(),
                new Class<?>[] {AsyncContext.class}, (proxy, method, arguments) -> {
                    if (ended) {
                        throw new IllegalStateException("ended");
                    }
                    ((Runnable) arguments[0]).run();
                    return null;
                });
    }

    @AfterEach
    void close() {
        turns.close();
    }

    private void take(AsyncContext async, String owner, String name) {
        take(async, owner, name, () -> { });
    }

    private void take(AsyncContext async, String owner, String name, Runnable meanwhile) {
        turns.take(async, owner, () -> {
            seen.add(name);
            meanwhile.run();
        }, refusal -> seen.add(name + " " + refusal.status()));
    }

    private void nextIs(String wanted) throws InterruptedException {
        assertEquals(wanted, seen.take());
    }

    @Test
    void whoWaitsGoesOnWhenATurnIsOver() throws InterruptedException {
        turns = new Turns(1, FOREVER);
        take(alive, "a", "first", () -> {
            take(alive, "b", "second");
            assertEquals(1, seen.size());
        });
        nextIs("first");
        nextIs("second");
    }

    @Test
    void whoseTurnDoesNotComeIsRefusedAndTakesNone() throws InterruptedException {
        turns = new Turns(1, 1);
        take(alive, "a", "first", () -> {
            take(alive, "b", "second");
            quietly(() -> {
                nextIs("first");
                nextIs("second 503");
            });
        });
        take(alive, "b", "third");
        nextIs("third");
    }

    @Test
    void aTurnOfWhoFailsOrHasGoneIsGivenBack() throws InterruptedException {
        turns = new Turns(1, FOREVER);
        assertThrows(IllegalArgumentException.class, () -> take(alive, "a", "fails", () -> {
            take(context(true), "b", "gone");
            throw new IllegalArgumentException();
        }));
        nextIs("fails");
        nextIs("gone 503");
        take(alive, "c", "after");
        nextIs("after");
    }

    @Test
    void theQueueHasALimit() throws InterruptedException {
        turns = new Turns(1, FOREVER);
        take(alive, "a", "first", () -> {
            for (int i = 0; i < 500; i++) {
                take(alive, "b", "waits");
            }
            take(alive, "b", "one more");
        });
        nextIs("first");
        nextIs("one more 503");
        for (int i = 0; i < 500; i++) {
            nextIs("waits");
        }
    }

    private interface Step {
        void run() throws InterruptedException;
    }

    private static void quietly(Step step) {
        try {
            step.run();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
