package org.fhirstack.gateway.proxy;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import java.io.IOException;
import java.util.function.Consumer;

/** Hands an answer on as its reader takes it: no thread waits. Who takes nothing for a minute is given up by Tomcat. */
final class Sending implements WriteListener {
    private final ServletOutputStream out;
    private final Delivery answer;
    private final Consumer<Throwable> done;
    private boolean written;
    private boolean over;

    /** @param done called once, with what went wrong or with null */
    Sending(ServletOutputStream out, Delivery answer, Consumer<Throwable> done) {
        this.out = out;
        this.answer = answer;
        this.done = done;
    }

    @Override
    public void onWritePossible() throws IOException {
        while (out.isReady()) {
            byte[] next = written ? null : answer.next();
            if (next != null) {
                out.write(next);
            } else if (!written) {
                // What is left for the end of the request must not need to wait.
                written = true;
                out.flush();
            } else {
                end(null);
                return;
            }
        }
    }

    @Override
    public void onError(Throwable problem) {
        end(problem);
    }

    private synchronized void end(Throwable problem) {
        if (!over) {
            over = true;
            answer.close();
            done.accept(problem);
        }
    }
}
