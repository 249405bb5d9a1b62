package org.fhirstack.gateway.proxy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.access.AnonymousRules;
import org.fhirstack.gateway.access.Outgoing;
import org.fhirstack.gateway.access.PermissionAccessChecker;
import org.fhirstack.gateway.access.Verdict;
import org.fhirstack.gateway.custom.Answer;
import org.fhirstack.gateway.custom.CustomEndpoints;
import org.fhirstack.gateway.ops.Requests;
import org.fhirstack.gateway.request.FhirUrl;
import org.fhirstack.gateway.request.GatewayRequest;
import org.fhirstack.gateway.request.Query;
import org.fhirstack.gateway.token.IssuerKeys;
import org.fhirstack.gateway.token.Tokens;
import org.fhirstack.gateway.token.User;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every request to the gateway: parsed, judged, forwarded, logged. */
public final class GatewayServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(GatewayServlet.class);
    private static final int LONGEST_FORM = 1 << 20;
    /** The owner of the room that all strangers share; no subject is empty. */
    private static final String ANONYMOUS = "";
    private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
    private static final List<String> OVERRIDES = List.of("X-HTTP-Method-Override", "X-HTTP-Method",
            "X-Method-Override");
    private static final List<String> SMART = List.of("issuer", "jwks_uri", "authorization_endpoint",
            "token_endpoint", "userinfo_endpoint", "introspection_endpoint", "revocation_endpoint",
            "end_session_endpoint", "grant_types_supported", "response_types_supported", "scopes_supported",
            "code_challenge_methods_supported", "token_endpoint_auth_methods_supported");

    private final transient Tokens tokens;
    private final transient IssuerKeys keys;
    private final transient AnonymousRules anonymous;
    private final transient PermissionAccessChecker.Services services;
    private final transient BodyReader bodies;
    private final transient Turns turns;
    private final transient Forwarder forwarder;
    private final transient Deliveries deliveries;
    private final transient CustomEndpoints custom;
    private final transient Bases bases;
    private final transient Cors cors;
    private final transient Requests requests;

    public GatewayServlet(Tokens tokens, IssuerKeys keys, PermissionAccessChecker.Services services,
            BodyReader bodies, Turns turns, Forwarder forwarder, Deliveries deliveries, CustomEndpoints custom,
            Bases bases, Cors cors, Requests requests) {
        this.tokens = tokens;
        this.keys = keys;
        this.anonymous = new AnonymousRules(services);
        this.services = services;
        this.bodies = bodies;
        this.turns = turns;
        this.forwarder = forwarder;
        this.deliveries = deliveries;
        this.custom = custom;
        this.bases = bases;
        this.cors = cors;
        this.requests = requests;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Requests.Entry entry = requests.start(requestId(request), request.getMethod());
        response.setHeader("X-Request-Id", entry.id());
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setHeader("Cache-Control", "no-store");
        guarded(request, response, entry, () -> {
            cors.mark(request, response);
            handle(request, response, entry);
        });
    }

    /** A part of what is done for a request. */
    private interface Step {
        void run() throws IOException;
    }

    /** Does a step, and ends the request unless its body is still on its way. */
    private void guarded(HttpServletRequest request, HttpServletResponse response, Requests.Entry entry, Step step)
            throws IOException {
        try {
            step.run();
        } catch (Refusal refusal) {
            entry.refused(refusal);
            refuse(request, response, refusal);
        } catch (IOException e) {
            // Either side went away; an answer that has begun must not look complete.
            entry.reason("broken-off");
            if (response.isCommitted()) {
                throw e;
            }
            refuse(request, response, new Refusal(502, "broken-off", "The answer broke off."));
        } catch (RuntimeException e) {
            LOG.error("request {} failed", entry.id(), e);
            entry.reason("error");
            refuse(request, response, new Refusal(500, "error", "The gateway failed; the request id tells which log"
                    + " entry says why."));
        } finally {
            if (!request.isAsyncStarted()) {
                requests.end(entry, response.getStatus());
            }
        }
    }

    /** Does the last step of a request whose body was waited for. */
    private void last(AsyncContext async, Forwarder.Exchange exchange, Requests.Entry entry, Step step) {
        try {
            guarded(exchange.request(), exchange.response(), entry, step);
            if (!exchange.out().sending()) {
                // Tomcat sends nothing more of a request whose body it may not read.
                exchange.response().getOutputStream().close();
            }
        } catch (IOException | RuntimeException e) {
            Connection.of(exchange.request()).abort();
        } finally {
            if (!exchange.out().sending()) {
                requests.end(entry, exchange.response().getStatus());
                complete(async);
            }
        }
    }

    /** Makes an answer and hands it to its reader; a long one goes on when this has returned. */
    private void answer(Forwarder.Exchange exchange, Requests.Entry entry, Step step) throws IOException {
        Delivery out = exchange.out();
        try {
            step.run();
            if (out.sendSmall()) {
                return;
            }
            HttpServletRequest request = exchange.request();
            AsyncContext async = request.isAsyncStarted() ? request.getAsyncContext() : request.startAsync();
            // Tomcat gives up whoever takes nothing any more.
            async.setTimeout(0);
            ServletOutputStream reader = exchange.response().getOutputStream();
            reader.setWriteListener(new Sending(reader, out, problem -> sent(async, exchange, entry, problem)));
            out.handOver();
        } finally {
            if (!out.sending()) {
                out.close();
            }
        }
    }

    /** Ends a request whose long answer was taken, or was not. */
    private void sent(AsyncContext async, Forwarder.Exchange exchange, Requests.Entry entry, Throwable problem) {
        Connection connection = Connection.of(exchange.request());
        if (problem == null) {
            connection.leaveBody();
        } else {
            entry.reason("broken-off");
            connection.abort();
        }
        requests.end(entry, exchange.response().getStatus());
        complete(async);
    }

    private static void complete(AsyncContext async) {
        try {
            async.complete();
        } catch (IllegalStateException e) {
            LOG.debug("the container has ended the request", e);
        }
    }

    private void refuse(HttpServletRequest request, HttpServletResponse response, Refusal refusal) throws IOException {
        if (response.isCommitted()) {
            throw new IOException(refusal.reason());
        }
        String id = response.getHeader("X-Request-Id");
        response.reset();
        response.setHeader("X-Request-Id", id);
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setHeader("Cache-Control", "no-store");
        cors.mark(request, response);
        Outcomes.send(response, refusal);
    }

    private static String requestId(HttpServletRequest request) {
        String given = request.getHeader("X-Request-Id");
        return given != null && given.matches("[A-Za-z0-9._-]{1,64}") ? given : UUID.randomUUID().toString();
    }

    private void handle(HttpServletRequest request, HttpServletResponse response, Requests.Entry entry)
            throws IOException {
        String method = request.getMethod();
        if (!METHODS.contains(method)) {
            throw new Refusal(405, "method", "This method is not allowed.");
        }
        FhirUrl url = url(request.getRequestURI());
        entry.target(url);
        Forwarder.Exchange exchange = new Forwarder.Exchange(entry.id(), bases.of(request), request, response,
                deliveries.open(Deliveries.owner(null, request), response));
        if (method.equals("OPTIONS")) {
            cors.preflight(request, response);
            entry.reason("preflight");
            return;
        }
        for (String header : OVERRIDES) {
            if (request.getHeader(header) != null) {
                throw Refusal.malformed("The method cannot be overridden by a header.");
            }
        }
        Query query = Query.parse(request.getQueryString());
        if (query.has("_method") || query.has("access_token")) {
            throw Refusal.malformed("The method and the token cannot be given as parameters.");
        }
        boolean get = method.equals("GET") || method.equals("HEAD");
        if (get && url.kind() == FhirUrl.Kind.SMART) {
            entry.reason("open");
            smart(response);
            return;
        }
        if (get && url.kind() == FhirUrl.Kind.METADATA) {
            entry.reason("open");
            answer(exchange, entry, () -> forwarder.forward(Verdict.pass(Outgoing.get("metadata", Query.EMPTY),
                    "open"), null, exchange));
            return;
        }
        List<String> authorization = Collections.list(request.getHeaders("Authorization"));
        User user = authorization.isEmpty() ? null : tokens.verify(authorization);
        entry.user(user);
        exchange.out().owner(Deliveries.owner(user, request));
        judgeAndForward(exchange, entry, new Parsed(get ? "GET" : method, url, query), user);
    }

    private record Parsed(String method, FhirUrl url, Query query) {
    }

    private void judgeAndForward(Forwarder.Exchange exchange, Requests.Entry entry, Parsed parsed, User user)
            throws IOException {
        int longest = longestBody(exchange.request(), parsed, user);
        if (longest == 0) {
            answer(exchange, entry, () -> judgeAndForward(exchange, entry, parsed, user, Body.NONE));
            return;
        }
        bodies.check(exchange.request(), longest);
        AsyncContext async = exchange.request().startAsync();
        // The reader has limits of its own.
        async.setTimeout(0);
        String owner = user == null ? ANONYMOUS : user.sub();
        bodies.read(exchange.request(), async, owner, longest, body -> {
            Runnable judged = () -> last(async, exchange, entry, () -> answer(exchange, entry, () ->
                    judgeAndForward(exchange, entry, parsed, user, body)));
            if (parsed.url().search()) {
                judged.run();
                return;
            }
            turns.take(async, owner, judged, busy -> {
                body.close();
                last(async, exchange, entry, () -> {
                    throw busy;
                });
            });
        }, problem -> last(async, exchange, entry, () -> {
            Connection.of(exchange.request()).leaveBody();
            throw problem;
        }));
    }

    private void judgeAndForward(Forwarder.Exchange exchange, Requests.Entry entry, Parsed parsed, User user,
            Body given) throws IOException {
        try (Body body = given) {
            boolean form = parsed.url().search() && parsed.method().equals("POST");
            GatewayRequest details = new GatewayRequest(entry.id(), parsed.method(), parsed.url(), parsed.query(),
                    exchange.request()::getHeader, form ? new byte[0] : body.content(),
                    form ? Query.form(body.content()) : Query.EMPTY);
            if (CustomEndpoints.answers(details)) {
                Answer answer = custom.answer(details, user, services, exchange.base());
                entry.reason(answer.reason());
                if (!forwarder.send(answer, exchange)) {
                    entry.reason("not-modified");
                }
                return;
            }
            Verdict verdict = user == null ? anonymous.judge(details)
                    : new PermissionAccessChecker(user, services).checkAccess(details);
            entry.reason(verdict.reason());
            forwarder.forward(verdict, user, exchange);
        } catch (Refusal refusal) {
            // What is not everybody's may be the stranger's, who shows no token.
            throw user == null && refusal.status() == HttpServletResponse.SC_FORBIDDEN ? AnonymousRules.refusal() : refusal;
        }
    }

    /**
     * How many bytes of a body are read, 0 for none. Bodies of strangers are read only where one might be a permitted
     * batch, and then not far.
     */
    private static int longestBody(HttpServletRequest request, Parsed parsed, User user) {
        String method = parsed.method();
        boolean patch = method.equals("PATCH") && parsed.url().kind() == FhirUrl.Kind.INSTANCE;
        if (!method.equals("POST") && !method.equals("PUT") && !patch) {
            return 0;
        }
        if (user == null) {
            if (!AnonymousRules.mayBeBatch(method, parsed.url())
                    || request.getContentLengthLong() > AnonymousRules.longest()) {
                throw AnonymousRules.refusal();
            }
            return AnonymousRules.longest();
        }
        if (parsed.url().search() && method.equals("POST")) {
            if (request.getContentLengthLong() != 0 || request.getHeader("Content-Type") != null) {
                BodyReader.needForm(request);
            }
            return LONGEST_FORM;
        }
        if (parsed.url().custom()) {
            return 0;
        }
        if (patch) {
            BodyReader.needPatch(request);
        } else if (parsed.url().operation() == null) {
            BodyReader.needJson(request);
        }
        return Integer.MAX_VALUE;
    }

    @Override
    public void destroy() {
        bodies.close();
        turns.close();
    }

    private static FhirUrl url(String uri) {
        if (uri.equals("/fhir")) {
            return FhirUrl.parse("");
        }
        if (uri.startsWith("/fhir/")) {
            return FhirUrl.parse(plain(uri.substring("/fhir/".length())));
        }
        // OpenSRP's app asks for its endpoints beside /fhir, FHIR Web below it.
        if (FhirUrl.CUSTOM_TYPES.stream().anyMatch(t -> uri.equals("/" + t) || uri.startsWith("/" + t + "/"))) {
            return FhirUrl.parse(plain(uri.substring(1)));
        }
        throw new Refusal(404, "not-found", "There is nothing here; FHIR is served below /fhir.");
    }

    /** Without the slashes that clients put at the end of a base and of a path. */
    private static String plain(String path) {
        String plain = path.startsWith("/") ? path.substring(1) : path;
        return plain.endsWith("/") ? plain.substring(0, plain.length() - 1) : plain;
    }

    private void smart(HttpServletResponse response) throws IOException {
        JsonNode discovery = keys.discovery();
        if (discovery == null) {
            throw new Refusal(503, "no-keys", "The token issuer is not available; try again soon.");
        }
        ObjectNode out = Json.object();
        for (String name : SMART) {
            if (discovery.has(name)) {
                out.set(name, discovery.get(name));
            }
        }
        out.putArray("capabilities").add("client-public").add("client-confidential-symmetric");
        byte[] body = Json.write(out);
        response.setContentType("application/json");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }
}
