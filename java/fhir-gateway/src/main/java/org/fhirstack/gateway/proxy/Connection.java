package org.fhirstack.gateway.proxy;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.ActionCode;

/**
 * What a servlet cannot say about its connection. After an answer that came before the body had, Tomcat reads the rest
 * of the body, and a worker waits for it as long as the sender likes: such a connection is closed instead.
 */
public final class Connection {
    private static final String NAME = Connection.class.getName();
    private final org.apache.coyote.Request request;

    private Connection(org.apache.coyote.Request request) {
        this.request = request;
    }

    static Connection of(HttpServletRequest request) {
        return (Connection) request.getAttribute(NAME);
    }

    /** The rest of the body is not read, and the connection is closed after the answer. */
    void leaveBody() {
        AtomicBoolean read = new AtomicBoolean();
        request.action(ActionCode.REQUEST_BODY_FULLY_READ, read);
        if (!read.get()) {
            request.action(ActionCode.DISABLE_SWALLOW_INPUT, null);
        }
    }

    /** Ends the connection at once: an answer that has begun must not look complete. */
    void abort() {
        request.action(ActionCode.CLOSE_NOW, new IOException("broken off"));
    }

    /** Makes the connection of each request known. */
    public static final class Valve extends ValveBase {
        public Valve() {
            super(true);
        }

        @Override
        public void invoke(Request request, Response response) throws IOException, ServletException {
            Connection connection = new Connection(request.getCoyoteRequest());
            request.setAttribute(NAME, connection);
            getNext().invoke(request, response);
            if (!request.isAsync()) {
                connection.leaveBody();
            }
        }
    }
}
